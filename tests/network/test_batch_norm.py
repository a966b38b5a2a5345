"""The fused layer gives Keras' own numbers: outputs, statistics, gradients, files."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter as LiteRT

from fer_exp.lite.conversion import convert
from fer_exp.lite.litert import Interpreter
from fer_exp.network.batch_norm import BatchNormalization, fuse

IMAGES = np.random.default_rng(0).normal(3.0, 2.0, (5, 6, 7, 4)).astype(np.float32)


def pair(**options: object) -> tuple[keras.layers.Layer, keras.layers.Layer]:
    """Returns Keras' layer and ours, with the same weights, none of them trivial."""
    layers = (keras.layers.BatchNormalization(**options), BatchNormalization(**options))
    random = np.random.default_rng(1)
    weights = [random.uniform(0.5, 1.5, 4).astype(np.float32) for _ in range(4)]
    for layer in layers:
        layer.build(IMAGES.shape)
        layer.set_weights(weights)
    return layers


def outcome(layer: keras.layers.Layer, training: bool) -> list[np.ndarray]:
    """Returns outputs, gradients by inputs, gamma and beta, and the moving statistics after the call."""
    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = layer(images, training=training)
        loss = tf.reduce_sum(tf.sin(outputs))
    gradients = tape.gradient(loss, [images, layer.gamma.value, layer.beta.value])
    return [np.asarray(value) for value in (outputs, *gradients, *layer.get_weights()[2:])]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "epsilon": 0.1}])
def test_outputs_gradients_and_statistics_are_keras_own(training: bool, trainable: bool, options: dict) -> None:
    layers = pair(**options)
    for layer in layers:
        layer.trainable = trainable
    for expected, found in zip(*(outcome(layer, training) for layer in layers), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4)


def test_frozen_statistics_do_not_move() -> None:
    layer = pair()[1]
    layer.trainable = False
    before = layer.get_weights()
    layer(IMAGES, training=True)
    np.testing.assert_array_equal(before, layer.get_weights())


@pytest.mark.parametrize(
    ("options", "shape"), [({"axis": 1}, (2, 4, 3, 3)), ({"scale": False}, (2, 3, 3, 4)), ({}, (6, 4))]
)
def test_what_the_operation_cannot_do_is_left_to_keras(options: dict, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    ours, keras_own = BatchNormalization(**options), keras.layers.BatchNormalization(**options)
    np.testing.assert_allclose(ours(values, training=True), keras_own(values, training=True), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_keeps_the_statistics_in_float32(policy: str) -> None:
    layer = BatchNormalization(dtype=policy)
    outputs = layer(IMAGES, training=True)
    assert outputs.dtype == layer.compute_dtype
    assert all(weight.dtype == np.float32 for weight in layer.get_weights())
    expected = (IMAGES - IMAGES.mean((0, 1, 2))) / np.sqrt(IMAGES.var((0, 1, 2)) + 1e-3)
    np.testing.assert_allclose(np.asarray(outputs, np.float32), expected, atol=0.05)


def tiny_model() -> keras.Model:
    inputs = keras.Input((6, 7, 4))
    return keras.Model(inputs, keras.layers.ReLU()(keras.layers.BatchNormalization()(inputs)), name="tiny")


def test_a_model_is_fused_with_its_name_and_weights() -> None:
    model = tiny_model()
    model.layers[1].set_weights(pair()[0].get_weights())
    fused = fuse(model, momentum=0.75)
    assert fused.name == "tiny"
    assert isinstance(fused.layers[1], BatchNormalization)
    assert fused.layers[1].momentum == 0.75
    np.testing.assert_allclose(fused(IMAGES), model(IMAGES), rtol=1e-4, atol=1e-5)


def test_a_saved_model_holds_keras_own_layer_and_loads_without_this_package(tmp_path: Path) -> None:
    fused = fuse(tiny_model(), momentum=0.75)
    fused.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert type(loaded.layers[1]) is keras.layers.BatchNormalization
    np.testing.assert_allclose(loaded(IMAGES), fused(IMAGES), rtol=1e-4, atol=1e-5)


def test_a_tflite_file_has_it_folded_away_as_keras_own_is(tmp_path: Path) -> None:
    def network(layer: type[keras.layers.BatchNormalization]) -> keras.Model:
        keras.utils.set_random_seed(0)
        inputs = keras.Input((6, 7, 4))
        x = keras.layers.ReLU()(layer()(keras.layers.Conv2D(3, 3)(inputs)))
        model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
        random = np.random.default_rng(1)
        model.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in model.get_weights()])
        return model

    answers, operations = [], []
    images = np.random.default_rng(2).integers(0, 256, (3, 6, 7, 4), np.uint8)
    for name, layer in (("keras", keras.layers.BatchNormalization), ("fused", BatchNormalization)):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(convert(network(layer), "float32", ("happy", "sad")))
        answers.append(Interpreter(path).predict({"image": images}))
        operations.append([op["op_name"] for op in LiteRT(str(path))._get_ops_details() if op["op_name"] != "DELEGATE"])
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-5)
    assert operations[1] == operations[0]
    assert not {"MUL", "ADD", "SUB", "RSQRT"} & set(operations[1])
