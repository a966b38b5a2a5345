"""The slim model computes what the whole one does when the removed channels are silent."""

import keras
import numpy as np
import pytest
from keras import layers
from slim_models import SHAPE, SMALL, images, silenced, small, some

from fer_exp.network import cost
from fer_exp.network.slim import slimming
from fer_exp.network.slim.channel_groups import analyse


@pytest.mark.parametrize("name", SMALL)
def test_removing_silent_channels_changes_nothing(name: str) -> None:
    model = small(name)
    channels = analyse(model)
    kept = some(channels)
    slim = slimming.slim(model, channels, kept)
    expected = silenced(model, channels, kept)(images()).numpy()
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(slim(images()).numpy(), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert slim.count_params() < model.count_params()
    assert slimming.multiply_adds(channels, kept) == cost.multiply_adds(slim).total
    assert [layer.name for layer in slim.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("name", SMALL)
def test_keeping_all_channels_keeps_the_model(name: str) -> None:
    model = small(name)
    channels = analyse(model)
    everything = [np.arange(len(group.channels)) for group in channels.groups]
    slim = slimming.slim(model, channels, everything)
    np.testing.assert_array_equal(slim(images()).numpy(), model(images()).numpy())
    assert slimming.multiply_adds(channels, everything) == cost.multiply_adds(model).total


def test_widths_and_cost_are_those_of_a_calculation_by_hand() -> None:
    channels = analyse(small("cnn"))
    kept = [np.arange(width) for width in (4, 6, 4, 8, 12)]
    slim = slimming.slim(small("cnn"), channels, kept)
    shapes = {layer.name: layer.output.shape[-1] for layer in slim.layers if isinstance(layer, layers.SeparableConv2D)}
    assert list(shapes.values()) == [4, 6, 4, 8]
    by_hand = 30**2 * (9 * 1 + 1 * 4) + 28**2 * (9 * 4 + 4 * 6)  # 32 -> 30 -> 28, pooled to 14
    by_hand += 12**2 * (9 * 6 + 6 * 4) + 10**2 * (9 * 4 + 4 * 8)  # 14 -> 12 -> 10, pooled to 5
    by_hand += 5 * 5 * 8 * 12 + 12 * 7
    assert cost.multiply_adds(slim).total == slimming.multiply_adds(channels, kept) == by_hand


def test_precision_penalties_and_names_stay() -> None:
    inputs = keras.Input(SHAPE)
    penalty = keras.regularizers.L2(1e-3)
    x = layers.Conv2D(6, 3, kernel_regularizer=penalty, dtype="mixed_bfloat16", name="first")(inputs)
    outputs = layers.Dense(2, dtype="float32", name="last")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs, name="small")
    slim = slimming.slim(model, analyse(model), [np.array([0, 5])])
    assert slim.name == "small"
    first = slim.get_layer("first")
    assert (first.filters, first.compute_dtype, slim.get_layer("last").compute_dtype) == (2, "bfloat16", "float32")
    assert first.kernel_regularizer.l2 == pytest.approx(1e-3)
    np.testing.assert_array_equal(first.kernel, np.array(model.get_layer("first").kernel)[..., [0, 5]])


def test_depthwise_multipliers_reshapes_and_parallel_branches_are_followed() -> None:
    random = np.random.default_rng(0)
    inputs = keras.Input((8, 8, 3))
    left = layers.Conv2D(4, 3, padding="same", activation="relu", name="left")(inputs)
    right = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="right")(left)
    both = layers.Concatenate(name="both")([left, right])  # 4 + 8
    gate = layers.Reshape((1, 1, 12))(layers.GlobalAveragePooling2D()(both))
    gate = layers.Conv2D(12, 1, activation="sigmoid", name="gate")(gate)
    x = layers.SeparableConv2D(6, 3, depth_multiplier=3, name="separable")(layers.Multiply()([both, gate]))
    x = layers.Dense(5, name="wide")(layers.Flatten()(layers.Cropping2D(1)(x)))
    model = keras.Model(inputs, layers.Dense(2, name="out")(x))
    model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
    channels = analyse(model)
    assert [group.paths for group in channels.groups] == [("left", "gate"), ("separable",), ("wide",)]
    assert [len(group.channels) for group in channels.groups] == [4, 6, 5]
    kept = [np.array([0, 3]), np.array([1, 2, 5]), np.array([0, 4])]
    slim = slimming.slim(model, channels, kept)
    assert slim.get_layer("both").output.shape[-1] == slim.get_layer("gate").filters == 6
    few = random.normal(size=(2, 8, 8, 3)).astype(np.float32)
    expected = silenced(model, channels, kept)(few).numpy()
    np.testing.assert_allclose(slim(few).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_a_layer_that_is_called_twice_reads_and_writes_the_same_channels() -> None:
    random = np.random.default_rng(0)
    inputs = keras.Input((8, 8, 3))
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    x = shared(shared(layers.Conv2D(4, 1, name="first")(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling2D()(x)))
    model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
    channels = analyse(model)
    (group,) = channels.groups
    assert (group.paths, len(group.channels)) == (("first", "shared"), 4)
    kept = [np.array([1, 2])]
    few = random.normal(size=(2, 8, 8, 3)).astype(np.float32)
    expected = silenced(model, channels, kept)(few).numpy()
    np.testing.assert_allclose(slimming.slim(model, channels, kept)(few).numpy(), expected, rtol=1e-4, atol=1e-4)
