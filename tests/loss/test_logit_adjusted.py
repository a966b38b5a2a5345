"""Logit adjustment by hand; in training only, also with a teacher, mixed labels and smoothing."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import node

from fer_exp.dataset import Split
from fer_exp.errors import ConfigError
from fer_exp.fit.distilling import Teacher
from fer_exp.fit.fitting import TrainingLoss, compile_for_training, fitted
from fer_exp.fit.pipeline import evaluation_batches, training_batches
from fer_exp.loss import Objective
from fer_exp.options import config

NAMES = ("angry", "disgust", "happy")
COUNTS = (4, 1, 5)
LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]], np.float32)
LABELS = np.array([[1, 0, 0], [0, 0.3, 0.7]], np.float32)  # the second one is mixed


def build(**changes: Any) -> Objective:
    objective: Objective = config.build(node("loss", "logit_adjusted", **changes), COUNTS, NAMES)
    return objective


def with_offsets(objective: Objective) -> dict[str, np.ndarray]:
    """Returns the targets as training batches carry them."""
    return {"labels": LABELS, "offsets": np.tile(np.float32(objective.logit_offsets), (2, 1))}


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(-(labels * log_probabilities).sum(axis=1).mean())


@pytest.mark.parametrize(("tau", "smoothing"), [(1.0, 0.0), (0.5, 0.1), (0.0, 0.0)])
def test_training_adds_the_logarithm_of_the_class_frequencies(tau: float, smoothing: float) -> None:
    objective = build(tau=tau, label_smoothing=smoothing)
    expected = cross_entropy(LOGITS + tau * np.log([0.4, 0.1, 0.5]), LABELS * (1 - smoothing) + smoothing / 3)
    assert float(TrainingLoss(objective)(with_offsets(objective), LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_validation_takes_the_logits_as_they_are() -> None:
    found = float(TrainingLoss(build())({"labels": LABELS}, LOGITS))
    assert found == pytest.approx(cross_entropy(LOGITS, LABELS), rel=1e-5)


def test_a_teacher_is_compared_with_the_plain_logits() -> None:
    objective, soft = build(), np.array([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]], np.float32)
    both = TrainingLoss(objective, Teacher((), temperature=2.0, weight=0.25))
    found = float(both({**with_offsets(objective), "teacher": soft}, LOGITS))
    divergence = cross_entropy(LOGITS / 2, soft) - cross_entropy(np.log(soft), soft)
    hard = cross_entropy(LOGITS + np.log([0.4, 0.1, 0.5]), LABELS)
    assert found == pytest.approx(0.75 * hard + 0.25 * 4 * divergence, rel=1e-5)
    assert float(both({"labels": LABELS}, LOGITS)) == pytest.approx(cross_entropy(LOGITS, LABELS), rel=1e-5)


def test_a_class_without_images_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        config.build(node("loss", "logit_adjusted"), (4, 0, 5), NAMES)
    assert str(caught.value) == "`loss` logit_adjusted needs training images of every class; none of: ['disgust']."


def test_class_weights_are_handed_on() -> None:
    assert build(class_weights={"happy": 3.0}).class_weights == (1.0, 1.0, 3.0)


def test_fit_trains_on_adjusted_logits_and_validates_plain_ones() -> None:
    labels = np.repeat([0, 1, 2], COUNTS)
    split = Split.of_images(np.random.default_rng(0).integers(0, 256, (10, 4, 4, 1), dtype=np.uint8), labels)
    objective = build(class_weights="auto")
    model = keras.Sequential(
        [keras.Input((4, 4, 1), name="image"), keras.layers.Flatten(), keras.layers.Dense(3, use_bias=False)]
    )
    model.set_weights([np.zeros((16, 3), np.float32)])
    learner = fitted(model, objective)
    compile_for_training(learner, keras.optimizers.SGD(0.0))
    batches = training_batches(
        split, 10, seed=0, num_classes=3, epochs=1, augment=lambda batch, one_hot, seed, progress: (batch, one_hot),
        class_weights=objective.class_weights, logit_offsets=objective.logit_offsets,
    )  # fmt: skip
    _, targets, weights = next(iter(batches))
    assert targets["offsets"].shape == (10, 3)
    assert tf.reduce_sum(weights).numpy() == pytest.approx(10)
    history = learner.fit(
        batches, steps_per_epoch=1, validation_data=evaluation_batches(split, 10, 3), verbose=0, shuffle=False
    ).history
    # All logits are 0: the plain loss is log 3, the adjusted one -log(frequency), each class weighing the same.
    assert history["val_loss"] == pytest.approx([np.log(3)], rel=1e-5)
    assert history["loss"] == pytest.approx([-np.mean(np.log([0.4, 0.1, 0.5]))], rel=1e-5)
