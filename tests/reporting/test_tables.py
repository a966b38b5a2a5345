"""Tables and sentences about predictions, checked by hand on a small confusion matrix."""

import numpy as np
import pytest
from three_classes import LABELS, NAMES, PREDICTED, probabilities

from fer_exp.assessment import metrics
from fer_exp.reporting import tables


@pytest.fixture
def evaluation() -> metrics.Evaluation:
    return metrics.evaluate(probabilities(PREDICTED), LABELS, NAMES)


def test_confused_pairs_keep_the_direction_and_sort_by_count_then_share(evaluation: metrics.Evaluation) -> None:
    pairs = tables.confused_pairs(evaluation)
    assert list(zip(pairs["true"], pairs["predicted"], pairs["count"], strict=True)) == [
        ("a", "b", 1),
        ("c", "a", 1),
        ("c", "b", 1),
    ]
    assert pairs["share_of_true"].tolist() == [0.25, 0.25, 0.25]
    assert len(tables.confused_pairs(evaluation, most=1)) == 1


def test_confusions_are_told_in_words(evaluation: metrics.Evaluation) -> None:
    sentence = tables.describe_confusions(evaluation)[0]
    assert sentence == "a is taken for b in 1 of its 4 test images (25.0 %)"


def test_a_perfect_model_confuses_nothing() -> None:
    perfect = metrics.evaluate(probabilities(LABELS), LABELS, NAMES)
    assert tables.confused_pairs(perfect).empty
    assert tables.describe_confusions(perfect) == []


def test_tables_are_labelled(evaluation: metrics.Evaluation) -> None:
    assert tables.confusion_table(evaluation).loc["true_c", "predicted_a"] == 1
    table = tables.classification_table(evaluation)
    assert table.loc["b", "support"] == 2
    assert table.loc["macro avg", "f1"] == pytest.approx(evaluation.macro_f1)
    assert table.loc["accuracy", "f1"] == pytest.approx(0.7)
    assert table.loc["a", ["recall_low", "recall_high"]].tolist() == evaluation.recall_interval[0].tolist()
    assert table.loc["macro avg", ["f1_low", "f1_high"]].tolist() == list(evaluation.macro_f1_interval)
    assert table.loc["accuracy", ["f1_low", "f1_high"]].tolist() == list(evaluation.accuracy_interval)
    predictions = tables.predictions_table(evaluation)
    assert predictions.loc[3, ["label", "prediction", "correct"]].tolist() == ["a", "b", False]
    np.testing.assert_allclose(predictions[["p_a", "p_b", "p_c"]].sum(axis=1), 1, rtol=1e-6)


def test_a_class_that_is_neither_present_nor_predicted_is_named() -> None:
    found = metrics.evaluate(probabilities(PREDICTED, 4), LABELS, (*NAMES, "d"))
    assert "left out: d" in tables.classification_text(found)
