"""A training that diverged, or led nowhere, is told from one that has only just begun, or is hard."""

import numpy as np
import pandas as pd
import pytest

from fer_exp.assessment import learning, metrics
from fer_exp.assessment.metrics import Evaluation

NAMES = ("angry", "happy", "sad", "neutral")


def history(train: list[float], val: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"epoch": range(1, len(train) + 1), "train/loss": train, "val/loss": val})


def answers(labels: np.ndarray, predictions: np.ndarray) -> Evaluation:
    return metrics.evaluate(np.eye(len(NAMES))[predictions], labels, NAMES)


LABELS = np.repeat([0, 1, 2, 3], [40, 100, 30, 30])
GOOD = answers(LABELS, np.where(np.arange(200) % 4, LABELS, 1))
CALM = history([1.4, 1.1, 0.9], [1.5, 1.2, 1.3])


def kinds(*arguments: object) -> list[str]:
    return [finding.kind for finding in learning.judge(*arguments)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "calm",
    [
        CALM,
        history([1.4, 0.02, 0.19], [1.5, 1.2, 5.5]),  # learned by heart, then a restart of the schedule
        history([30.0, 22.0, 21.0], [31.0, 24.0, 24.0]),  # most of it a penalty on the weights
        history([0.05], [2.1]),
    ],
)
def test_a_training_that_learns_is_left_alone(calm: pd.DataFrame) -> None:
    assert kinds(calm, 1, GOOD) == []


def test_a_kept_epoch_far_from_guessing_has_diverged() -> None:
    (found,) = learning.judge(history([8e12, 5e12], [4e13, 2e13]), 2, GOOD)
    assert (found.kind, found.sentence) == (
        "diverged",
        "The training has diverged: val/loss of the kept epoch 2 is 2e+13, and guessing among 4 classes costs 1.39. "
        "Take a smaller lr, or optimizer.clipnorm=1.0.",
    )


def test_a_training_loss_alone_can_tell_it() -> None:
    assert kinds(history([1e4], [1.2]), 1, GOOD) == ["diverged"]


@pytest.mark.parametrize(
    ("train", "val", "told"),
    [
        (
            [1.2, 0.9, 40.0],
            [1.2, 1.1, 60.0],
            r"after epoch 2: train/loss was 0\.9 there, and is 40 in the last epoch 3",
        ),
        (
            [1.2, 0.9, 1.0],
            [1.2, 1.1, 6e3],
            r"after epoch 2: val/loss was 1\.1 there, and is 6e\+03 in the last epoch 3",
        ),
    ],
)
def test_a_training_that_goes_astray_later_is_told_although_an_earlier_epoch_is_kept(
    train: list[float], val: list[float], told: str
) -> None:
    (found,) = learning.judge(history(train, val), 2, GOOD)
    assert found.kind == "diverged"
    assert pd.Series([found.sentence]).str.contains(told).all(), found.sentence
    assert "The weights of epoch 2 are kept." in found.sentence


def test_always_the_most_frequent_class_is_nothing_learned() -> None:
    (found,) = learning.judge(CALM, 1, answers(LABELS, np.ones_like(LABELS)))
    assert found.kind == "learned nothing"
    assert "test accuracy 0.5000 is no better than always answering happy (0.5000)" in found.sentence
    assert "mean recall of the classes 0.2500 no better than guessing (0.2500)" in found.sentence


def test_guessing_is_nothing_learned() -> None:
    guessed = np.random.default_rng(0).integers(0, 4, len(LABELS))
    assert kinds(CALM, 1, answers(LABELS, guessed)) == ["learned nothing"]


def test_finding_rare_classes_at_the_cost_of_the_frequent_one_is_something_learned() -> None:
    rare = np.where(LABELS == 1, np.arange(200) % 4, LABELS)
    found = answers(LABELS, rare)
    assert found.accuracy > 0.5
    none_of_the_frequent = answers(LABELS, np.where(LABELS == 1, 0, LABELS))
    assert none_of_the_frequent.accuracy == 0.5, "as good as always the most frequent class"
    assert kinds(CALM, 1, none_of_the_frequent) == []


def test_a_few_batches_are_no_training() -> None:
    nothing = answers(LABELS, np.ones_like(LABELS))
    assert kinds(CALM, 1, nothing, False) == []
    assert kinds(history([1e9], [1e9]), 1, nothing, False) == ["diverged"]


def test_images_of_one_class_say_nothing_of_what_is_learned() -> None:
    alone = np.ones(20, np.int64)
    assert kinds(CALM, 1, answers(alone, alone)) == []
