"""Images with little to see: blank, very dark, very bright, flat.

Called by the doctor for data. It looks at one image at a time and knows neither labels nor copies.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fer_exp.doctor.pool import Finding, Pool, grey

# In grey levels of 255. On FER2013 the faintest legible faces have a deviation of about 9.
BLANK_DEVIATION, FLAT_DEVIATION = 4.0, 14.0
DARK_MEAN, BRIGHT_MEAN = 25.0, 230.0
# Notes of the readers: how many were left out, the files that list all of them, the first if the disk could not.
_COUNTS = {"skipped_rows", "skipped_images", "images_without_a_face", "malformed_rows", "malformed_lines"} | {
    "malformed_annotations", "missing_images"}  # fmt: skip
_LISTS = {"rejected_images", "rejected_rows"}
_FIRST = {
    "first_skipped_lines": ("line ", "malformed row", "rejected_rows"),
    "first_skipped_images": ("", "cannot be decoded", "rejected_images"),
    "first_without_a_face": ("", "no face found", "rejected_images"),
}


def examine(pool: Pool) -> list[Finding]:
    """Finds images by mean and deviation of their grey levels; each image is reported once, as the worst it is."""
    parts = [(part.mean(axis=(1, 2)), part.std(axis=(1, 2))) for part in grey(pool.images)]
    means, deviations = (np.concatenate(column) for column in zip(*parts, strict=True))
    blank = deviations < BLANK_DEVIATION
    dark, bright = ~blank & (means < DARK_MEAN), ~blank & (means > BRIGHT_MEAN)
    flat = ~blank & ~dark & ~bright & (deviations < FLAT_DEVIATION)
    look = "Look at them; they are not in exclude.csv."
    kinds = [
        ("blank", f"Blank images (deviation under {BLANK_DEVIATION:.0f} of 255)", blank, deviations, "Leave them out."),
        ("dark", f"Very dark images (mean under {DARK_MEAN:.0f} of 255)", dark, means, look),
        ("bright", f"Very bright images (mean over {BRIGHT_MEAN:.0f} of 255)", bright, -means, look),
        ("low_contrast", f"Flat images (deviation under {FLAT_DEVIATION:.0f} of 255)", flat, deviations, look),
    ]
    findings = []
    for kind, title, mask, order, advice in kinds:
        rows = np.flatnonzero(mask)
        rows = rows[np.argsort(order[rows], kind="stable")]
        details = [f"mean {means[row]:.0f}, deviation {deviations[row]:.1f}" for row in rows]
        findings.append(Finding(kind, title, rows, details, advice))
    return findings


def unreadable(notes: Mapping[str, Any]) -> Finding:
    """Returns what the reader of the data set left out: malformed rows, files that are no image, photos without a face.

    Args:
        notes: Of the data set; of several put together, those of each under its name and a dot.
    """
    count, missing = 0, []
    for key, value in notes.items():
        source, _, note = key.rpartition(".")
        before = f"{source}/" if source else ""
        if note in _COUNTS:
            count += int(value)
        elif note in _LISTS:
            missing += [(before + name, reason) for name, reason in _rejected(Path(value))]
        elif note in _FIRST:
            word, reason, listed = _FIRST[note]
            if f"{key.removesuffix(note)}{listed}" not in notes:
                missing += [(f"{before}{word}{one}", reason) for one in value]
    nothing = np.empty(0, np.int64)
    title = "Left out by the reader: malformed rows, missing and unreadable files, photos without a face"
    return Finding("unreadable", title, nothing, (), "Mend or delete them.", missing=missing, count=count)


def _rejected(file: Path) -> list[tuple[str, str]]:
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        return [(row["name"], row["reason"]) for row in csv.DictReader(lines)]
