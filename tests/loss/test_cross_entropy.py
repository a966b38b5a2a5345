"""The loss equals NumPy's; class weights mean what Keras' `class_weight` means."""

import keras
import numpy as np
import pytest
from contracts import node

from fer_exp.dataset import Split
from fer_exp.errors import ConfigError
from fer_exp.fit.pipeline import training_batches
from fer_exp.loss import Objective
from fer_exp.options import config

NAMES = ("angry", "disgust", "happy")
COUNTS = (4, 1, 5)
LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]], np.float32)
ONE_HOT = np.eye(3, dtype=np.float32)[[0, 2]]


def build(**changes: object) -> Objective:
    objective: Objective = config.build(node("loss", "cross_entropy", **changes), COUNTS, NAMES)
    return objective


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_equals_numpy_with_and_without_label_smoothing(smoothing: float) -> None:
    log_probabilities = LOGITS - np.log(np.exp(LOGITS).sum(axis=1, keepdims=True))
    target = ONE_HOT * (1 - smoothing) + smoothing / 3
    expected = -(target * log_probabilities).sum(axis=1).mean()
    assert float(build(label_smoothing=smoothing).loss(ONE_HOT, LOGITS)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_soft_labels_are_smoothed_and_compared_like_hard_ones(smoothing: float) -> None:
    shares = np.array([[0.7, 0.3, 0.0], [0.25, 0.25, 0.5]], np.float32)
    log_probabilities = LOGITS - np.log(np.exp(LOGITS).sum(axis=1, keepdims=True))
    expected = -((shares * (1 - smoothing) + smoothing / 3) * log_probabilities).sum(axis=1).mean()
    assert float(build(label_smoothing=smoothing).loss(shares, LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_null_weighs_nothing() -> None:
    assert build(class_weights=None).class_weights is None


def test_auto_gives_every_class_the_same_sum() -> None:
    weights = build(class_weights="auto").class_weights
    assert weights == pytest.approx((10 / 12, 10 / 3, 10 / 15))


def test_a_mapping_weighs_the_classes_it_names_and_leaves_the_others_at_1() -> None:
    assert build(class_weights={"disgust": 2.5}).class_weights == (1.0, 2.5, 1.0)


def test_an_unknown_class_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        build(class_weights={"disgusted": 2.0})
    assert str(caught.value) == (
        "`loss.class_weights` must name classes of the data set: angry, disgust, happy. Received: ['disgusted']."
    )


def test_auto_with_a_class_without_images_says_which() -> None:
    with pytest.raises(ConfigError) as caught:
        config.build(node("loss", "cross_entropy", class_weights="auto"), (4, 0, 5), NAMES)
    assert str(caught.value) == "`loss.class_weights` auto needs training images of every class; none of: ['disgust']."


def test_effective_number_is_the_formula_of_cui_scaled_to_a_mean_of_1() -> None:
    raw = np.array([(1 - 0.9) / (1 - 0.9**count) for count in COUNTS])
    weights = build(class_weights="effective_number", beta=0.9).class_weights
    assert weights == pytest.approx(tuple(raw * 3 / raw.sum()))
    assert np.mean(weights) == pytest.approx(1)


def test_beta_0_weighs_nothing_and_beta_near_1_weighs_by_the_inverse_of_the_count() -> None:
    assert build(class_weights="effective_number", beta=0.0).class_weights == (1.0, 1.0, 1.0)
    near = np.array(build(class_weights="effective_number", beta=1 - 1e-7).class_weights)
    assert near * COUNTS == pytest.approx(near[0] * COUNTS[0], rel=1e-4)


def test_effective_number_with_a_class_without_images_says_which() -> None:
    with pytest.raises(ConfigError) as caught:
        config.build(node("loss", "cross_entropy", class_weights="effective_number"), (4, 0, 5), NAMES)
    assert str(caught.value).startswith("`loss.class_weights` effective_number needs training images of every class")


def test_weighted_training_batches_train_as_keras_does_with_class_weight() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0] * 4 + [1] + [2] * 5)
    split = Split.of_images(rng.integers(0, 256, (10, 4, 4, 1), dtype=np.uint8), labels)
    objective = build(class_weights={"disgust": 5.0, "happy": 0.5})
    ours, theirs = _linear_model(objective), _linear_model(objective)
    theirs.set_weights(ours.get_weights())
    batches = training_batches(
        split,
        4,
        seed=0,
        num_classes=3,
        epochs=1,
        augment=lambda batch, one_hot, seed, progress: (batch, one_hot),
        class_weights=objective.class_weights,
    )
    for inputs, targets, weights in batches.take(3):  # one epoch: batches of 4, 4 and 2
        images, one_hot = inputs["image"], targets["labels"]
        our_loss = ours.train_on_batch(images, one_hot, sample_weight=weights)
        their_loss = theirs.train_on_batch(images, one_hot, class_weight={0: 1.0, 1: 5.0, 2: 0.5})
        assert float(our_loss) == pytest.approx(float(their_loss), rel=1e-5)
    for our_weight, their_weight in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(our_weight, their_weight, rtol=1e-5, atol=1e-7)


def _linear_model(objective: Objective) -> keras.Model:
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    model.compile(keras.optimizers.SGD(0.5), objective.loss, run_eagerly=True)
    return model
