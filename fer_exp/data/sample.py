"""A few rows that stand for all: for the ranges of an integer network, for a measurement that costs time.

Called by the export options, by `assessment` and by `taylor_scores`. It must not know networks.
"""

import numpy as np

from fer_exp.data.inputs import read
from fer_exp.dataset import Split


def inputs(split: Split, count: int, seed: int) -> dict[str, np.ndarray]:
    """Draws rows so that each class has its share, whatever order the split is in.

    Args:
        split: The training split.
        count: Rows to draw, >= 1; all of them if there are no more.
        seed: Of the draw.

    Returns:
        Each input by its name, (min(count, n), ...), as it is stored.
    """
    return read(split.inputs, rows(split.labels, count, seed))


def rows(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Returns the sorted numbers of rows of which each class has its share, int (min(count, n),).

    Args:
        labels: int (n,).
        count: Rows to draw, >= 1; all of them if there are no more.
        seed: Of the draw.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    place = np.empty(len(labels))  # of each row within its class, between 0 and 1
    for label in np.unique(labels):
        of_class = shuffled[labels[shuffled] == label]
        place[of_class] = (np.arange(len(of_class)) + 0.5) / len(of_class)
    # The rows below any place are that share of every class.
    return np.sort(shuffled[np.argsort(place[shuffled], kind="stable")[:count]])
