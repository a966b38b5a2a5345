"""Predictions that are right where a test wants them to be."""

import numpy as np

from fer_exp.assessment.metrics import Evaluation, evaluate

NAMES = ("angry", "happy", "sad")
LABELS = np.repeat([0, 1, 2], 40)


def answered(right: np.ndarray, labels: np.ndarray = LABELS, names: tuple[str, ...] = NAMES) -> Evaluation:
    """Predictions that are right where told; a wrong one names the next class."""
    predicted = np.where(right, labels, (labels + 1) % len(names))
    return evaluate(0.1 + (1 - 0.1 * len(names)) * np.eye(len(names))[predicted], labels, names)


def right(share: float, seed: int) -> np.ndarray:
    return np.random.default_rng([int(1000 * share), seed]).random(len(LABELS)) < share
