"""A file is compared with Keras on the same images, and a small loss passes where a larger one does not."""

import numpy as np
import pytest
from answers import LABELS, NAMES, answered

from fer_exp.assessment.metrics import evaluate
from fer_exp.lite.proof import gap, shortfall


def test_the_gap_counts_what_the_file_lost_and_won() -> None:
    """Of 120 images Keras has 0-99 right; the file loses 6 of them in the first class and wins 2 in the last."""
    reference, file = np.arange(120) < 100, np.arange(120) < 100
    file[:6] = False
    file[[118, 119]] = True
    found = gap(answered(reference), answered(file))
    assert found.accuracy == pytest.approx(4 / 120)
    assert found.agreement == pytest.approx(112 / 120)
    assert (found.recall, found.recall_class) == (pytest.approx(6 / 40), "angry")
    # By hand: b = 6.5, c = 2.5, n = 122; (b - c) / n = 0.032787, sqrt(9 - 16 / 122) / 122 = 0.024410.
    assert (found.low, found.high) == (pytest.approx(-0.015056, abs=1e-5), pytest.approx(0.080630, abs=1e-5))


def test_a_file_that_is_better_has_a_negative_gap() -> None:
    found = gap(answered(np.arange(120) < 60), answered(np.arange(120) < 90))
    assert found.accuracy == -0.25
    assert found.high < 0


def test_a_class_without_images_is_not_the_one_that_loses_most() -> None:
    labels = np.repeat([0, 1], 20)
    perfect = evaluate(np.eye(3)[labels], labels, NAMES)
    found = gap(perfect, evaluate(np.eye(3)[np.where(np.arange(40) == 39, 0, labels)], labels, NAMES))
    assert (found.recall, found.recall_class) == (pytest.approx(0.05), "happy")


def test_the_limit_itself_passes() -> None:
    assert shortfall(0.91 - 0.90, 0.01) == ""
    assert shortfall(-0.5, 0.0) == ""
    assert shortfall(1.0, None) == ""
    assert shortfall(0.0123, 0.01) == (
        "validation accuracy is 1.23 points below Keras', and export.max_accuracy_drop=0.01 allows 1"
    )
    assert len(LABELS) == 120
