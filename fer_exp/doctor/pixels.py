"""Images with little to see: blank, very dark, very bright, flat.

Called by the doctor for data. It looks at one image at a time and knows neither labels nor copies.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fer_exp.doctor.pool import Finding, Pool, grey

# In grey levels of 255. On FER2013 the faintest legible faces have a deviation of about 9.
BLANK_DEVIATION, FLAT_DEVIATION = 4.0, 14.0
DARK_MEAN, BRIGHT_MEAN = 25.0, 230.0


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
    """Returns what the reader of the data set left out because it could not be read.

    Args:
        notes: Of the data set.
    """
    counts = {key: int(str(notes[key])) for key in ("skipped_rows", "skipped_images") if key in notes}
    lines, files = notes.get("first_skipped_lines", []), notes.get("first_skipped_images", [])
    missing = [(f"line {line}", "malformed row") for line in lines] if isinstance(lines, list) else []
    missing += [(str(file), "cannot be decoded") for file in files] if isinstance(files, list) else []
    nothing = np.empty(0, np.int64)
    title = "Unreadable rows or files, left out by the reader"
    count = sum(counts.values())
    return Finding("unreadable", title, nothing, (), "Mend or delete them.", missing=missing, count=count)
