"""ECE, Brier score and NLL by hand; scikit-learn's where it has them."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from fer_exp.assessment import confidence, metrics


def answers(confidences: list[float], right: list[bool]) -> metrics.Evaluation:
    """Two classes; the first is always predicted."""
    first = np.array(confidences)
    return metrics.evaluate(np.stack([first, 1 - first], 1), np.where(right, 0, 1), ("a", "b"))


def test_the_calibration_error_is_known_by_hand() -> None:
    # Ten bins: (0.6, 0.7] holds two images, one of them right; (0.8, 0.9] holds two, both right.
    found = answers([0.62, 0.66, 0.85, 0.89], [True, False, True, True])
    bins = confidence.equal_width(found, 10)
    assert bins.count.tolist() == [2, 2]
    np.testing.assert_allclose(bins.confidence, [0.64, 0.87], rtol=1e-6)
    assert bins.accuracy.tolist() == [0.5, 1.0]
    assert bins.error == pytest.approx((0.14 + 0.13) / 2)
    np.testing.assert_allclose([bins.low, bins.high], [[0.6, 0.8], [0.7, 0.9]])


def test_adaptive_bins_hold_equally_many_images() -> None:
    found = answers([0.51, 0.99, 0.98, 0.97, 0.96, 0.95], [True] * 6)
    bins = confidence.equal_count(found, 3)
    assert bins.count.tolist() == [2, 2, 2]
    np.testing.assert_allclose(bins.confidence, [0.73, 0.965, 0.985], rtol=1e-6)
    assert bins.error == pytest.approx((0.27 + 0.035 + 0.015) / 3)


def test_certain_and_right_is_perfect_and_certain_and_wrong_as_bad_as_can_be() -> None:
    right, wrong = (confidence.measure(answers([1.0, 1.0], [value] * 2)) for value in (True, False))
    assert (right.ece, right.ece_adaptive, right.brier, right.nll) == (0, 0, 0, 0)
    assert (wrong.ece, wrong.ece_adaptive, wrong.brier, wrong.overconfidence) == (1, 1, 2, 1)


def test_brier_and_nll_are_scikit_learns_and_lie_in_their_intervals() -> None:
    random = np.random.default_rng(0)
    rows, labels = random.dirichlet(np.ones(3), 200), random.integers(0, 3, 200)
    found = confidence.measure(metrics.evaluate(rows, labels, ("a", "b", "c")))
    assert found.nll == pytest.approx(log_loss(labels, rows), rel=1e-5)
    # scikit-learn's Brier score is of one class; the sum over the classes is the multi-class one.
    assert found.brier == pytest.approx(sum(brier_score_loss(labels == k, rows[:, k]) for k in range(3)), rel=1e-5)
    for value, (low, high) in ((found.brier, found.brier_interval), (found.nll, found.nll_interval)):
        assert low < value < high


def test_the_numbers_have_names() -> None:
    values = confidence.scalars(confidence.measure(answers([0.9, 0.6], [True, False])), "test")
    assert values["test/ece"] == pytest.approx((0.1 + 0.6) / 2)
    assert values["test/overconfidence"] == pytest.approx(0.25)
    assert {"test/ece_adaptive", "test/brier_low", "test/nll_high"} <= values.keys()
