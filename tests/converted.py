"""What the tests of conversion and of the interpreter share: names, kinds, and models of one TensorFlow function."""

from collections.abc import Callable
from typing import get_args

import keras
import tensorflow as tf

from fer_exp.lite.conversion import Kind

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
