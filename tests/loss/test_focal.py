"""Focal loss by hand, and its border case: cross-entropy."""

import numpy as np
import pytest
from contracts import node

from fer_exp.options import config

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]], np.float32)
ONE_HOT = np.eye(3, dtype=np.float32)[[0, 2]]
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def focal(**changes: float) -> float:
    objective = config.build(node("loss", "focal", **changes), (1, 1, 1), ("angry", "disgust", "happy"))
    return float(objective.loss(ONE_HOT, LOGITS))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gamma_0_is_cross_entropy(smoothing: float) -> None:
    node_of_cross_entropy = node("loss", "cross_entropy", label_smoothing=smoothing)
    cross_entropy = config.build(node_of_cross_entropy, (1, 1, 1), ("angry", "disgust", "happy")).loss
    assert focal(gamma=0.0, label_smoothing=smoothing) == pytest.approx(float(cross_entropy(ONE_HOT, LOGITS)), rel=1e-5)


def test_gamma_2_counts_an_image_less_the_better_it_is_classified() -> None:
    right = PROBABILITIES[[0, 1], [0, 2]]  # probability of the true class: 0.79 and 0.11
    assert focal(gamma=2.0) == pytest.approx(np.mean((1 - right) ** 2 * -np.log(right)), rel=1e-5)


def test_of_soft_labels_each_class_counts_less_the_more_probable_it_already_is() -> None:
    shares = np.array([[0.7, 0.3, 0.0], [0.25, 0.25, 0.5]], np.float32)
    loss = config.build(node("loss", "focal", gamma=2.0), (1, 1, 1), ("angry", "disgust", "happy")).loss
    expected = (shares * (1 - PROBABILITIES) ** 2 * -np.log(PROBABILITIES)).sum(axis=1).mean()
    assert float(loss(shares, LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_alpha_multiplies_the_whole_loss() -> None:
    assert focal(gamma=2.0, alpha=0.25) == pytest.approx(0.25 * focal(gamma=2.0))


def test_class_weights_are_handed_on() -> None:
    node_of_focal = node("loss", "focal", class_weights={"happy": 3.0})
    assert config.build(node_of_focal, (1, 1, 1), ("angry", "disgust", "happy")).class_weights == (1.0, 1.0, 3.0)
