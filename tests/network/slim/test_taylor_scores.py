"""Scores are the slope of the loss, as measured by making channels a little quieter."""

import keras
import numpy as np
import pytest
from keras import layers
from slim_models import SHAPE, SMALL, built, small

from fer_exp.dataset import Split
from fer_exp.network.slim import taylor_scores
from fer_exp.network.slim.channel_groups import analyse

IMAGES = 20  # one batch


def split(count: int = IMAGES, targets: np.ndarray | None = None) -> Split:
    random = np.random.default_rng(2)
    images = random.integers(0, 256, (count, *SHAPE), np.uint8)
    return Split.of_images(images, random.integers(0, 7, count), targets)


def loss(model: keras.Model, data: Split, targets: np.ndarray) -> float:
    logits = model(data.images.astype(np.float32), training=False)
    return float(np.mean(keras.losses.categorical_crossentropy(targets, logits, from_logits=True)))


def slope(model: keras.Model, variables: list[keras.Variable], index: int, data: Split, targets: np.ndarray) -> float:
    """Returns how fast the loss changes as a channel gets quieter."""
    values = [np.array(variable) for variable in variables]
    losses = []
    for part in (1.01, 0.99):
        for variable, value in zip(variables, values, strict=True):
            quieter = value.copy()
            quieter[..., index] *= part
            variable.assign(quieter)
        losses.append(loss(model, data, targets))
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return abs(losses[0] - losses[1]) / 0.02


@pytest.mark.parametrize("soft", [False, True])
def test_a_score_is_what_the_loss_loses_as_the_channel_gets_quieter(soft: bool) -> None:
    keras.utils.set_random_seed(0)  # a slope is not one where a step crosses the kink of a ReLU
    model = built(*SMALL["cnn"])
    targets = np.random.default_rng(3).dirichlet(np.ones(7), IMAGES).astype(np.float32) if soft else None
    data = split(targets=targets)
    channels = analyse(model)
    scores = taylor_scores.scores(model, channels, data, 0)
    towards = np.eye(7)[data.labels] if targets is None else targets
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    for score, norm in list(zip(scores, norms, strict=False))[:2]:
        expected = [slope(model, [norm.gamma, norm.beta], index, data, towards) for index in range(len(score))]
        np.testing.assert_allclose(score, expected, rtol=0.05, atol=2e-4)


def test_a_layer_without_batch_norm_is_asked_for_its_kernel_and_bias() -> None:
    keras.utils.set_random_seed(0)
    model = built(*SMALL["mobilenet_v2"])
    data, channels = split(), analyse(model)
    index = next(index for index, group in enumerate(channels.groups) if group.paths == ("head",))
    score = taylor_scores.scores(model, channels, data, 0)[index]
    head = model.get_layer("head")
    towards = np.eye(7)[data.labels]
    expected = [slope(model, [head.kernel, head.bias], unit, data, towards) for unit in range(6)]
    np.testing.assert_allclose(score[:6], expected, rtol=0.05, atol=2e-4)


def test_a_loud_channel_that_nothing_reads_does_not_matter() -> None:
    inputs = keras.Input((4, 4, 1))
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(3, 1, use_bias=False, name="one")(inputs))
    outputs = layers.Dense(2, name="logits")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    model.get_layer("one").kernel.assign(np.ones((1, 1, 1, 3)))
    model.get_layer("norm").gamma.assign([100.0, 1.0, 1.0])
    model.get_layer("norm").beta.assign([100.0, 1.0, 1.0])
    model.get_layer("logits").kernel.assign([[0.0, 0.0], [1.0, -1.0], [2.0, -2.0]])
    random = np.random.default_rng(0)
    data = Split.of_images(random.integers(0, 256, (90, 4, 4, 1), np.uint8), np.arange(90) % 2)
    (score,) = taylor_scores.scores(model, analyse(model), data, 0)
    assert score[0] == 0
    assert score[2] == pytest.approx(2 * score[1], rel=1e-3)
    assert (score[1:] > 0).all()


def test_an_ordered_split_is_looked_at_in_a_drawn_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taylor_scores, "_IMAGES", 16)
    model, data = small("fer_resnet"), split(64)
    channels = analyse(model)
    first, again, other = (taylor_scores.scores(model, channels, data, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert all(len(score) == len(group.channels) for score, group in zip(first, channels.groups, strict=True))
