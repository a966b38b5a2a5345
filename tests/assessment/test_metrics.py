"""Numbers about predictions, checked by hand on a small confusion matrix."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score
from three_classes import LABELS, NAMES, PREDICTED, probabilities

from fer_exp.assessment import metrics


@pytest.fixture
def evaluation() -> metrics.Evaluation:
    return metrics.evaluate(probabilities(PREDICTED), LABELS, NAMES)


def test_the_confusion_matrix_has_true_classes_in_rows(evaluation: metrics.Evaluation) -> None:
    assert evaluation.confusion.tolist() == [[3, 1, 0], [0, 2, 0], [1, 1, 2]]


def test_accuracy_recall_precision_and_f1_by_hand(evaluation: metrics.Evaluation) -> None:
    assert evaluation.accuracy == pytest.approx(0.7)
    np.testing.assert_allclose(evaluation.recall, [0.75, 1.0, 0.5])
    np.testing.assert_allclose(evaluation.precision, [0.75, 0.5, 1.0])
    np.testing.assert_allclose(evaluation.f1, [0.75, 2 / 3, 2 / 3])
    assert evaluation.macro_f1 == pytest.approx((0.75 + 4 / 3) / 3)
    assert evaluation.balanced_accuracy == pytest.approx(0.75)


def test_macro_f1_is_scikit_learns(evaluation: metrics.Evaluation) -> None:
    assert evaluation.macro_f1 == pytest.approx(f1_score(LABELS, PREDICTED, average="macro"))


def test_the_accuracy_interval_is_wilsons(evaluation: metrics.Evaluation) -> None:
    n, p, z = 10, 0.7, 1.959963984540054
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert evaluation.accuracy_interval == pytest.approx((centre - half, centre + half))


def test_the_macro_f1_interval_holds_the_value_and_narrows_with_more_images(evaluation: metrics.Evaluation) -> None:
    many = metrics.evaluate(np.tile(probabilities(PREDICTED), (50, 1)), np.tile(LABELS, 50), NAMES)
    low, high = many.macro_f1_interval
    assert low < many.macro_f1 < high
    assert high - low < (evaluation.macro_f1_interval[1] - evaluation.macro_f1_interval[0]) / 3


def test_the_bootstrap_of_matrices_equals_the_bootstrap_of_images() -> None:
    random = np.random.default_rng(0)
    labels, predicted = np.tile(LABELS, 20), np.tile(PREDICTED, 20)
    rows = random.integers(0, 200, (1000, 200))
    scores = [f1_score(labels[row], predicted[row], average="macro") for row in rows]
    expected = np.quantile(scores, [0.025, 0.975])
    found = metrics.evaluate(probabilities(predicted), labels, NAMES).macro_f1_interval
    np.testing.assert_allclose(found, expected, atol=0.012)


def test_the_interval_of_the_balanced_accuracy_equals_the_bootstrap_of_images() -> None:
    random = np.random.default_rng(0)
    labels, predicted = np.tile(LABELS, 20), np.tile(PREDICTED, 20)
    rows = random.integers(0, 200, (1000, 200))
    expected = np.quantile([balanced_accuracy_score(labels[row], predicted[row]) for row in rows], [0.025, 0.975])
    found = metrics.evaluate(probabilities(predicted), labels, NAMES).balanced_accuracy_interval
    np.testing.assert_allclose(found, expected, atol=0.012)


def test_wilsons_interval_of_nothing_begins_at_0_and_of_everything_ends_at_1() -> None:
    for count in range(1, 400):
        (low, high), (other_low, other_high) = metrics.wilson(np.array([0, count]), np.array([count, count]))
        assert (low, other_high) == (0, 1)
        assert high == pytest.approx(1 - other_low)
    assert np.isnan(metrics.wilson(np.array(0), np.array(0))).all()


def test_recall_and_precision_have_wilsons_interval_and_f1_that_of_the_bootstrap(
    evaluation: metrics.Evaluation,
) -> None:
    for hits, count, (low, high) in (
        (3, 4, evaluation.recall_interval[0]),  # of the 4 images of a
        (2, 4, evaluation.precision_interval[1]),  # of the 4 predictions of b
    ):
        expected = stats.binomtest(hits, count).proportion_ci(0.95, method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high))
    many = metrics.evaluate(np.tile(probabilities(PREDICTED), (50, 1)), np.tile(LABELS, 50), NAMES)
    low, high = many.f1_interval.T
    assert (low < many.f1).all()
    assert (many.f1 < high).all()
    assert (high - low < 0.15).all()


def test_intervals_of_classes_that_say_nothing_are_undefined() -> None:
    found = metrics.evaluate(probabilities(PREDICTED, 4), LABELS, (*NAMES, "d"))
    for interval in (found.recall_interval, found.precision_interval, found.f1_interval):
        assert np.isnan(interval[3]).all()
        assert not np.isnan(interval[:3]).any()


def test_a_model_that_stays_at_one_class_is_told_as_it_is() -> None:
    stuck = metrics.evaluate(probabilities(np.zeros(10, int)), LABELS, NAMES)
    assert stuck.accuracy == 0.4
    assert stuck.recall.tolist() == [1.0, 0.0, 0.0]
    assert stuck.macro_f1 == pytest.approx(f1_score(LABELS, np.zeros(10), average="macro", zero_division=0))
    assert all(math.isfinite(value) for value in metrics.scalars(stuck, "test").values())


def test_a_class_that_is_neither_present_nor_predicted_does_not_count() -> None:
    names = (*NAMES, "d")
    found = metrics.evaluate(probabilities(PREDICTED, 4), LABELS, names)
    assert found.macro_f1 == pytest.approx((0.75 + 4 / 3) / 3)
    values = metrics.scalars(found, "test")
    assert "test/recall/d" not in values
    assert "test/recall/c" in values


def test_scalars_carry_the_names_of_the_run(evaluation: metrics.Evaluation) -> None:
    values = metrics.scalars(evaluation, "test")
    assert values["test/accuracy"] == pytest.approx(0.7)
    assert values["test/recall/c"] == 0.5
    assert {"test/accuracy_low", "test/accuracy_high", "test/macro_f1_low", "test/balanced_accuracy"} <= values.keys()


@pytest.mark.parametrize(
    ("rows", "labels", "names", "message"),
    [
        (np.full((10, 3), 0.5), LABELS, NAMES, "sum to 1"),
        (np.full((10, 3), np.nan), LABELS, NAMES, "finite"),
        (probabilities(PREDICTED)[:5], LABELS, NAMES, "`labels` must be integers of shape"),
        (probabilities(PREDICTED), LABELS + 1, NAMES, "must lie between 0 and 2"),
        (probabilities(PREDICTED), LABELS, ("a", "b"), "must hold 3 different names"),
        (probabilities(PREDICTED)[0], LABELS, NAMES, "must have shape"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    rows: np.ndarray, labels: np.ndarray, names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.evaluate(rows, labels, names)


def test_each_source_of_the_images_is_measured_alone() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1], [0.4, 0.6]])
    whole = metrics.evaluate(probabilities, np.array([0, 1, 1, 1]), ("a", "b"))
    found = metrics.of_sources(whole, np.array([0, 0, 2, 2]), ("x", "none", "y"))
    numbers = metrics.scalars_of_sources(found, "test")
    assert numbers == pytest.approx(
        {"test/x/accuracy": 1, "test/x/macro_f1": 1, "test/x/n": 2, "test/y/accuracy": 0.5, "test/y/n": 2}
        | {"test/y/macro_f1": (0 + 2 / 3) / 2}  # a is predicted once without an image; b: precision 1, recall 1/2
    )
