"""A network that trains with the rounding answers as its file does, and its kernels are on the grid."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from lite.test_folding import IMAGES, MODELS, as_if_trained, softmax

from fer_exp.errors import ExportError
from fer_exp.lite import conversion, litert, quantization_aware
from fer_exp.lite.quantization_aware import FakeQuantize, on_grid

NAMES = ("angry", "happy", "sad")


def test_a_kernel_is_rounded_to_127_steps_of_each_channels_largest_weight() -> None:
    kernel = np.array([[1.0, -12.7], [0.034, 0.26], [-0.5, 3.0]], np.float32)  # (inputs, outputs)
    found = on_grid(tf.constant(kernel)).numpy()
    np.testing.assert_allclose(found * 127 / [1.0, 12.7], [[127, -127], [4, 3], [-64, 30]], atol=1e-4)  # -63.5 to even


def test_the_kernel_of_a_depthwise_convolution_has_a_grid_for_each_channel_and_zeros_stay() -> None:
    kernel = np.zeros((2, 1, 2, 1), np.float32)
    kernel[:, 0, 0, 0] = [1.0, 0.3]
    found = on_grid(tf.constant(kernel), depthwise=True).numpy()
    np.testing.assert_allclose(found[:, 0, 0, 0], [1.0, 38 / 127], rtol=1e-6)
    assert (found[:, 0, 1, 0] == 0).all()


def test_a_tensor_is_rounded_to_256_levels_and_cut_off_at_the_ends() -> None:
    layer = FakeQuantize((0.0, 25.5), learns=False)
    np.testing.assert_allclose(layer(tf.constant([0.04, 0.06, 30.0, -1.0])), [0.0, 0.1, 25.5, 0.0], atol=1e-6)


def test_ends_follow_the_batches_in_training_only_and_only_if_they_are_free_to() -> None:
    free, fixed = FakeQuantize((0.0, 1.0), learns=True), FakeQuantize((0.0, 1.0), learns=False)
    values = tf.constant([-1.0, 3.0])
    for layer in (free, fixed):
        layer(values, training=False)
        layer(values, training=True, observe=False)
        assert layer.ends == (0.0, 1.0)
        layer(values, training=True)
    np.testing.assert_allclose(free.ends, (-0.01, 1.02), rtol=1e-5)
    assert fixed.ends == (0.0, 1.0)


@pytest.mark.parametrize("name", MODELS)
def test_the_file_answers_as_the_network_does_and_holds_no_float(name: str, tmp_path: Path) -> None:
    model = as_if_trained(name, sensitive=not name.startswith("mobilenet"))
    for logits in [model.get_layer("logits")] if name.startswith("mobilenet") else []:
        logits.set_weights([np.random.default_rng(2).normal(0, 0.2, logits.kernel.shape), np.arange(3) - 1.0])
    network = quantization_aware.prepare(model, IMAGES)
    expected = softmax(np.asarray(network.model(IMAGES.astype(np.float32), training=False)))
    exact = softmax(np.asarray(model(IMAGES.astype(np.float32), training=False)))
    rounding = np.abs(expected - exact).mean()
    assert rounding > 1e-5
    path = tmp_path / "int8.tflite"
    path.write_bytes(conversion.convert(network.deployed(), "int8", NAMES, own_ranges=True))
    litert.require_full_integer(path)
    found = litert.predict(path, {"image": IMAGES}, 1)
    # The file knows the rounding of sums in integers only, which differs by a last bit here and there.
    assert np.abs(found - expected).mean() < max(rounding, 2 / 256)
    assert np.mean(found.argmax(axis=1) == expected.argmax(axis=1)) >= 22 / 24


def test_after_training_the_kernels_that_are_deployed_are_on_the_grid_and_answer_the_same() -> None:
    network = quantization_aware.prepare(as_if_trained("cnn"), IMAGES)
    network.model.compile(keras.optimizers.Adam(1e-3), keras.losses.CategoricalCrossentropy(from_logits=True))
    before = [np.array(variable) for variable in network.model.trainable_variables]
    network.model.fit(IMAGES.astype(np.float32), np.eye(3)[np.arange(24) % 3], epochs=2, verbose=0)
    after = network.model.trainable_variables
    assert not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))  # gradients reach every weight
    deployed = network.deployed()
    images = IMAGES.astype(np.float32)
    np.testing.assert_allclose(deployed(images), network.model(images, training=False), atol=1e-5)
    kernels = [layer.kernel for layer in deployed.layers if layer.weights and hasattr(layer, "kernel")]
    assert len(kernels) == 6
    for kernel in map(np.array, kernels):
        axes = (0, 1) if kernel.shape[-1] == 1 else tuple(range(kernel.ndim - 1))
        steps = kernel * 127 / np.maximum(np.abs(kernel).max(axis=axes, keepdims=True), 1e-12)
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)


def test_a_layer_that_is_not_understood_is_named_with_those_that_are() -> None:
    inputs = keras.Input((8, 8, 1))
    x = layers.LeakyReLU(name="leaky")(layers.Conv2D(2, 3)(inputs))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    with pytest.raises(ExportError) as caught:
        quantization_aware.prepare(model, IMAGES[:, :8, :8])
    assert str(caught.value) == (
        "`leaky` (LeakyReLU) is a layer that quantisation-aware training does not understand: it knows "
        "BatchNormalization, SeparableConv2D, Add, AveragePooling2D, CenterCrop, Concatenate, Conv2D, Cropping2D, "
        "Dense, DepthwiseConv2D, Dropout, Flatten, GlobalAveragePooling2D, MaxPooling2D, ReLU, Rescaling, Reshape, "
        "Resizing, SpatialDropout2D, ZeroPadding2D, and concatenations of one tensor with itself. Leave `int8_qat` "
        "out of export.kinds."
    )


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.Dense(3, activation="tanh", name="head"), r"`head` \(Dense, activation tanh\)"),
        (layers.ReLU(negative_slope=0.1, name="sloped"), r"`sloped` \(ReLU\)"),
    ],
)
def test_another_activation_is_not_understood_either(layer: layers.Layer, message: str) -> None:
    inputs = keras.Input((8,))
    model = keras.Model(inputs, layers.Dense(3)(layer(layers.Dense(4)(inputs))))
    with pytest.raises(ExportError, match=message):
        quantization_aware.prepare(model, IMAGES[:, :8, 0, 0])
