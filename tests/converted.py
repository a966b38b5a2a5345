"""What the tests of conversion and of files share: names, kinds, models of a function, of sounds and of two inputs."""

from collections.abc import Callable
from typing import get_args

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from fer_exp.data.inputs import Spec, Specs
from fer_exp.lite.conversion import Kind
from fer_exp.network import named, per_frame

NAMES = ("angry", "happy", "sad")
KINDS: tuple[Kind, ...] = get_args(Kind)


class Apply(keras.layers.Layer):
    """A layer of one TensorFlow function."""

    def __init__(self, function: Callable[[tf.Tensor], tf.Tensor]) -> None:
        super().__init__()
        self.function = function

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.function(x)


def model_of(function: Callable[[tf.Tensor], tf.Tensor]) -> keras.Model:
    """Returns a classifier of (4, 4, 1) images into three, with a function between."""
    inputs = keras.Input((4, 4, 1))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(Apply(function)(inputs / 255.0))))


SOUND = {"voice": Spec("voice", "sound", (40,), 400.0)}
CLIP_AND_SOUND = {"face": Spec("face", "clip", (3, 8, 8, 1), 10.0), **SOUND}


def small_model(specs: Specs) -> keras.Model:
    """Returns a classifier of clips, sounds, or both into three, whose answers differ from row to row."""
    keras.utils.set_random_seed(0)
    inputs = {name: named.begin(spec) for name, spec in specs.items()}
    parts = [_features(inputs[name], spec) for name, spec in specs.items()]
    x = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    model = keras.Model(inputs if len(inputs) > 1 else next(iter(inputs.values())), layers.Dense(3, name="logits")(x))
    logits = np.asarray(_logits(model, rows_of(specs)))
    kernel, bias = model.get_layer("logits").weights
    kernel.assign(kernel * 2 / logits.std(axis=0))
    bias.assign(-2 * logits.mean(axis=0) / logits.std(axis=0))
    return model


def _logits(model: keras.Model, rows: dict[str, np.ndarray]) -> tf.Tensor:
    return named.call(model, {name: values.astype(np.float32) for name, values in rows.items()})


def _features(x: keras.KerasTensor, spec: Spec) -> keras.KerasTensor:
    if spec.kind == "sound":
        x = layers.Conv1D(4, 8, strides=4, activation="relu")(layers.Reshape((*spec.shape, 1))(x))
        return layers.GlobalMaxPooling1D()(x)
    frame = keras.Input(spec.shape[1:])
    convolved = layers.Conv2D(4, 3, strides=2, activation="relu")(layers.Rescaling(1 / 255)(frame))
    return layers.GlobalMaxPooling1D()(per_frame.apply(keras.Model(frame, layers.Flatten()(convolved)), x))


def rows_of(specs: Specs, count: int = 12, seed: int = 3) -> dict[str, np.ndarray]:
    """Returns random rows of each input, as its kind stores them."""
    random = np.random.default_rng(seed)
    return {
        name: random.uniform(*spec.about.limits, (count, *spec.shape)).astype(spec.about.dtype)
        for name, spec in specs.items()
    }


def keras_answers(model: keras.Model, rows: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the probabilities of Keras, and makes sure that agreement with them proves something."""
    answers = np.asarray(keras.ops.softmax(_logits(model, rows)))
    assert answers.std(axis=0).min() > 0.1
    return answers
