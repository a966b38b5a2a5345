"""Draws what the doctor found in a data set, in numbers only: no image of the data set is in the picture.

python scripts/audit_picture.py outputs/doctor-<time> docs/img/fer2013_audit.png
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fer_exp.data.emotions import EMOTIONS
from fer_exp.reporting.figure_style import DPI, FAINT, INK, headline, readable_on, save

KINDS = {
    "duplicate": "equal to another image",
    "duplicate_conflict": "... with another label",
    "near_duplicate": "near copy of another",
    "near_duplicate_conflict": "... with another label",
    "mirrored": "mirrored copy",
    "leak_test": "test image also in train or val",
    "near_leak_test": "... nearly",
    "leak_val": "val image also in train",
    "near_leak_val": "... nearly",
}


def main() -> None:
    """Draws the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("found", type=Path, help="folder of the doctor")
    parser.add_argument("picture", type=Path, help="PNG to write")
    options = parser.parse_args()
    files = [options.found / name for name in ("findings.csv", "suspected_label_errors.csv")]
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        parser.error(f"found must be a folder of the doctor. Received: {options.found} without {absent[0]}.")
    findings, suspects = (pd.read_csv(file) for file in files)
    save(draw(findings["kind"].value_counts(), suspects), options.picture)


def draw(counts: pd.Series, suspects: pd.DataFrame) -> Figure:
    """Returns bars of the copies and a matrix of the suspected label errors."""
    figure = Figure((11, 4.6), DPI, layout="constrained")
    bars, matrix = figure.subplots(1, 2, width_ratios=(1.1, 1))
    subtitle = "Left: images concerned. Right: images with a suspected label error, given against suggested label."
    headline(figure, "What the doctor found", subtitle)
    values = [int(counts.get(kind, 0)) for kind in KINDS]
    drawn = bars.barh(range(len(KINDS)), values, color="#3b6ea5")
    bars.set_yticks(range(len(KINDS)), list(KINDS.values()))
    bars.bar_label(drawn, [f"{value:,}" for value in values], padding=3, fontsize=9, color=INK)
    bars.invert_yaxis()
    bars.set_xlim(0, 1.15 * max(values))
    bars.spines[:].set_visible(False)
    bars.tick_params(length=0, labelsize=9.5, labelcolor=INK)
    bars.set_xticks([])
    table = pd.crosstab(suspects["given"], suspects["label"]).reindex(index=EMOTIONS, columns=EMOTIONS, fill_value=0)
    cells = table.to_numpy()
    image = matrix.imshow(cells, cmap="Blues")
    for row, column in np.argwhere(cells > 0):
        color = readable_on(np.array(image.cmap(image.norm(cells[row, column])))[:3])
        matrix.text(column, row, f"{cells[row, column]:,}", ha="center", va="center", fontsize=8.5, color=color)
    matrix.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=35, ha="right", fontsize=9)
    matrix.set_yticks(range(len(EMOTIONS)), EMOTIONS, fontsize=9)
    matrix.tick_params(length=0, labelcolor=INK)
    matrix.set_xlabel("suggested", color=FAINT)
    matrix.set_ylabel("given", color=FAINT)
    matrix.spines[:].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
