"""ROC-AUC and average precision: by hand on four images, against scikit-learn, and undefined where they must be."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from fer_exp.assessment import metrics, ranking


def softened(count: int, names: tuple[str, ...], seed: int = 0) -> metrics.Evaluation:
    """Answers that lean towards the truth."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % len(names)
    logits = random.normal(0, 1, (count, len(names))) + 1.5 * np.eye(len(names))[labels]
    rows = np.exp(logits)
    return metrics.evaluate(rows / rows.sum(axis=1, keepdims=True), labels, names)


def test_both_are_known_by_hand() -> None:
    # Of class a: 0.9 (a), 0.8 (b), 0.3 (a), 0.1 (b). Three of the four pairs are in order.
    scores = np.array([0.9, 0.8, 0.3, 0.1])
    found = ranking.rank(metrics.evaluate(np.stack([scores, 1 - scores], 1), np.array([0, 1, 0, 1]), ("a", "b")))
    assert found.auc.tolist() == [0.75, 0.75]
    # Precision where a's images are found: 1 of 1, and 2 of 3.
    assert found.precision[0] == pytest.approx((1 + 2 / 3) / 2)
    assert found.macro_auc == 0.75


def test_weights_count_as_in_scikit_learn_also_with_ties() -> None:
    random = np.random.default_rng(1)
    truth, scores = random.random(60) < 0.3, random.integers(0, 8, 60) / 8
    weights = random.integers(0, 4, (5, 60)).astype(float)
    auc, precision = ranking.weighted(truth, scores, weights)
    for row in range(5):
        assert auc[row] == pytest.approx(roc_auc_score(truth, scores, sample_weight=weights[row]))
        assert precision[row] == pytest.approx(average_precision_score(truth, scores, sample_weight=weights[row]))


def test_the_intervals_hold_the_values_and_narrow_with_more_images() -> None:
    few, many = (ranking.rank(softened(count, ("a", "b", "c"))) for count in (90, 900))
    for found in (few, many):
        low, high = found.macro_auc_interval
        assert low < found.macro_auc < high
        assert (found.precision_interval[:, 0] < found.precision).all()
        assert (found.precision < found.precision_interval[:, 1]).all()
    assert np.ptp(many.macro_auc_interval) < np.ptp(few.macro_auc_interval) / 2


def test_a_class_without_images_has_no_value_and_stays_out_of_means_and_scalars() -> None:
    whole = softened(60, ("a", "b", "c"))
    rows = np.concatenate([whole.probabilities, np.zeros((60, 1))], axis=1)
    found = ranking.rank(metrics.evaluate(rows, whole.labels, ("a", "b", "c", "d")))
    assert np.isnan(found.auc[3])
    assert np.isnan(found.precision_interval[3]).all()
    assert found.macro_auc == pytest.approx(np.mean(found.auc[:3]))
    values = ranking.scalars(found, "test")
    assert values["test/roc_auc"] == found.macro_auc
    assert values["test/average_precision_low"] == found.macro_precision_interval.low
    assert len(values) == 6


def test_images_of_a_single_class_cannot_be_ranked_and_give_no_numbers() -> None:
    found = ranking.rank(metrics.evaluate(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 0]), ("a", "b")))
    assert ranking.scalars(found, "test") == {}
