"""How much accuracy is left when pictures get worse: measured at each severity of each corruption, on the same images.

Called by `examine`. It must not know models: it is given a function that answers images.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from fer_exp.assessment.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from fer_exp.assessment.metrics import wilson
from fer_exp.data import sample
from fer_exp.data.stored_rows import Rows

_BATCH = 256  # images at a time: large ones take much memory while they are damaged


def measure(
    predict: Callable[[np.ndarray], np.ndarray],
    images: Rows,
    labels: np.ndarray,
    corruptions: Sequence[str],
    most: int,
    seed: int,
) -> pd.DataFrame:
    """Damages images and counts the right answers.

    Args:
        predict: uint8 (n, height, width, channels) -> predicted classes int (n,).
        images: uint8 (n, height, width, channels).
        labels: int (n,).
        corruptions: Names, of `CORRUPTIONS`; at least one.
        most: Largest number of images that are used, each class with its share.
        seed: Of the choice of the images and of what is random in the corruptions.

    Returns:
        One row for each corruption and severity: `corruption`, `severity` (0: the images as they are), `unit`, `amount`
        (NaN at severity 0), `images`, `accuracy`, and its Wilson interval `low`, `high`.
    """
    rows = sample.rows(labels, most, seed)
    chosen, truth = images[rows], labels[rows]

    def hits_at(corruption: Corruption, severity: int) -> int:
        found = 0
        for start in range(0, len(rows), _BATCH):
            part = slice(start, start + _BATCH)
            found += int(np.sum(predict(corruption(chosen[part], severity, seed + start)) == truth[part]))
        return found

    clean = hits_at(CORRUPTIONS[corruptions[0]], 0)
    table = []
    for name in corruptions:
        corruption = CORRUPTIONS[name]
        for severity in range(SEVERITIES + 1):
            hits = hits_at(corruption, severity) if severity else clean
            low, high = wilson(np.array(hits), np.array(len(rows)))
            amount = corruption.amounts[severity - 1] if severity else np.nan
            table.append([name, severity, corruption.unit, amount, len(rows), hits / len(rows), low, high])
    columns = ["corruption", "severity", "unit", "amount", "images", "accuracy", "low", "high"]
    return pd.DataFrame(table, columns=columns)


def scalars(table: pd.DataFrame) -> dict[str, float]:
    """Returns the numbers to track: `robustness/<corruption>/mean`, the mean accuracy over the severities, and more.

    Args:
        table: From `measure`.
    """
    damaged = table[table["severity"] > 0]
    means = damaged.groupby("corruption", sort=False)["accuracy"].mean()
    worst = damaged[damaged["severity"] == SEVERITIES].set_index("corruption")["accuracy"]
    return {
        "robustness/clean": float(table["accuracy"].iloc[0]),
        "robustness/mean": float(means.mean()),
        **{f"robustness/{name}/mean": float(value) for name, value in means.items()},
        **{f"robustness/{name}/worst": float(value) for name, value in worst.items()},
    }
