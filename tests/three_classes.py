"""Ten predictions of three classes, of which people can count what is right."""

import numpy as np

NAMES = ("a", "b", "c")
# True a: 3 as a, 1 as b; true b: 2 as b; true c: 1 as a, 2 as c, 1 as b.
LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 1, 0, 2, 2, 1])


def probabilities(predicted: np.ndarray, classes: int = 3, confidence: float = 0.8) -> np.ndarray:
    rows = np.full((len(predicted), classes), (1 - confidence) / (classes - 1))
    rows[np.arange(len(predicted)), predicted] = confidence
    return rows
