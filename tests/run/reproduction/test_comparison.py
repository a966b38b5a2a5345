"""A repetition is identical, agrees or differs, and says why that is worth what it is worth."""

from typing import Any

import numpy as np
import pytest

from fer_exp.assessment import metrics
from fer_exp.assessment.metrics import Evaluation
from fer_exp.run.reproduction.comparison import ENVIRONMENT, Comparison, compare, terminal
from fer_exp.run.reproduction.request import Source
from fer_exp.tracking import Record

NAMES = ("angry", "happy")
LABELS = np.zeros(40, np.int64)
TAGS = dict.fromkeys(ENVIRONMENT, "same")


def evaluation(wrong: int, confidence: float = 0.9) -> Evaluation:
    """Predictions of which the first so many are wrong."""
    answers = np.where(np.arange(40) < wrong, 1, 0)
    return metrics.evaluate(np.where(np.eye(2)[answers] == 1, confidence, 1 - confidence), LABELS, NAMES)


def compared(was: Evaluation, now: Evaluation, tags: dict[str, str] | None = None, **configuration: Any) -> Comparison:
    record = Record("a" * 32, "first", "FINISHED", "0", 0, {}, TAGS, metrics.scalars(was, "test"))
    source = Source(record, {"lr": 0.1, "deterministic": False}, was, ())
    values = {"lr": 0.1, "deterministic": False, **configuration}
    return compare(source, now, tags or TAGS, metrics.scalars(now, "test"), values)


def test_equal_to_the_last_bit_is_identical() -> None:
    found = compared(evaluation(5), evaluation(5))
    assert found.agrees
    assert (
        found.sentence == "identical: 12 metrics, and every probability of 40 test images, are equal to the last bit."
    )
    assert found.table()["same"].all()


def test_the_last_bit_counts() -> None:
    was = evaluation(5)
    nudged = np.nextafter(was.probabilities, np.float32(1)) if was.probabilities.dtype == np.float32 else None
    found = compared(was, metrics.evaluate(nudged, LABELS, NAMES))
    assert found.verdict == "agrees"
    assert found.sentence.startswith("agrees within 0.00 points: all 40 test images are called the same, with probab")
    assert "Without deterministic=true no two trainings add up in the same order. No difference" in found.sentence


def test_a_difference_that_chance_explains_agrees_and_says_within_what() -> None:
    found = compared(evaluation(5), evaluation(7))
    assert found.agrees
    assert found.p_value == pytest.approx(0.5)  # two discordant images, both on one side
    assert found.sentence.startswith(
        "agrees within 5.00 points: test accuracy 87.50 % then, 82.50 % now; 95.0 % of the 40 test images are called "
        "the same; McNemar p = 0.500."
    )


def test_a_difference_that_images_do_not_explain_differs() -> None:
    found = compared(evaluation(5), evaluation(15))
    assert not found.agrees
    assert found.sentence.startswith("differs: test accuracy 87.50 % then, 62.50 % now")
    assert "More than the choice of test images explains" in found.sentence


def test_a_deterministic_run_in_the_same_environment_must_be_equal() -> None:
    found = compared(evaluation(5), evaluation(6), deterministic=True)
    assert found.verdict == "agrees"  # its source was not deterministic: the configuration is another
    record = Record("a" * 32, "first", "FINISHED", "0", 0, {}, TAGS, {})
    source = Source(record, {"deterministic": True}, evaluation(5), ())
    strict = compare(source, evaluation(6), TAGS, {}, {"deterministic": True})
    assert strict.verdict == "differs"
    assert strict.sentence.endswith("and all that was recorded of the environment is the same.")
    elsewhere = compare(source, evaluation(6), {**TAGS, "threads": "8"}, {}, {"deterministic": True})
    assert elsewhere.verdict == "agrees"
    assert "in the same environment only. Not the same, or not known to be: threads." in elsewhere.sentence


def test_what_differs_in_environment_and_configuration_is_listed() -> None:
    tags = {**TAGS, "git_commit": "other-dirty"}
    del tags["device"]
    found = compared(evaluation(5), evaluation(5), tags, lr=0.2, beta=None)
    table = found.table().set_index("name")
    assert table.loc["git_commit", ["kind", "original", "reproduction"]].tolist() == [
        "environment", "same", "other-dirty",
    ]  # fmt: skip
    assert table.loc["device", "reproduction"] == "not recorded"
    assert table.loc["lr", ["original", "reproduction"]].tolist() == ["0.1", "0.2"]
    assert table.loc["beta", ["original", "reproduction"]].tolist() == ["not recorded", "None"]
    assert not table.loc[["git_commit", "device", "lr", "beta"], "same"].any()
    assert found.verdict == "identical"  # the numbers are; what differed did not matter


def test_a_metric_that_only_one_has_is_shown_and_decides_nothing() -> None:
    record = Record("a" * 32, "first", "FINISHED", "0", 0, {}, TAGS, {"test/accuracy": 0.875, "test/old": 1.0})
    now = {"test/accuracy": 0.875, "test/new": 1.0, "tflite/int8/accuracy": 1.0}
    found = compare(Source(record, {}, evaluation(5), ()), evaluation(5), TAGS, now, {})
    assert found.verdict == "identical"
    table = found.table().set_index("name")
    assert table.loc["test/new", "original"] == table.loc["test/old", "reproduction"] == "not recorded"
    assert "tflite/int8/accuracy" not in table.index


def test_the_terminal_shows_differences_and_every_plain_test_metric() -> None:
    found = compared(evaluation(5), evaluation(7), {**TAGS, "threads": "8"})
    columns = [list(column.cells) for column in terminal(found, "against run").columns]
    shown = dict(zip(columns[0], zip(*columns[1:], strict=True), strict=True))
    assert shown["threads"] == ("same", "8", "differs")
    assert shown["test/accuracy"] == ("0.875", "0.825", "-0.05")
    assert "test/accuracy_low" not in shown
    assert shown["share of equal predictions"] == ("", "", "0.95")
    assert found.tags()["reproduction.equal_predictions"] == "0.950000"
