"""Keras 2 (`tf_keras`), whose batch normalisation is fused."""

import argparse
from collections.abc import Callable

import tensorflow as tf
import tf_keras as keras

from benchmarks.samples import CLASSES, grey
from benchmarks.stopwatch import train


def make(arguments: argparse.Namespace) -> Callable[[], tuple[int, float]]:
    """Returns the stretch of MobileNetV2."""
    if arguments.threads:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    size = arguments.size
    backbone = keras.applications.MobileNetV2((size, size, 3), alpha=arguments.alpha, include_top=False, weights=None)
    layers = keras.layers
    inputs = keras.Input((48, 48, 1))
    x = layers.Resizing(size, size)(inputs)
    x = layers.Concatenate()([x, x, x])
    x = layers.Rescaling(1.0 / 127.5, offset=-1.0)(x)
    x = layers.GlobalAveragePooling2D()(backbone(x))
    x = layers.Dropout(0.3)(layers.Dense(256, activation="relu")(x))
    model = keras.Model(inputs, layers.Dense(CLASSES)(x))
    model.compile(
        keras.optimizers.Adam(1e-3), keras.losses.CategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    images, labels = grey()

    def load(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(image, tf.float32), tf.one_hot(label, CLASSES)

    rows = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(len(images)).repeat().batch(arguments.batch)
    data = rows.map(load, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    steps = max(1, arguments.images // arguments.batch)

    def stretch() -> tuple[int, float]:
        seconds = train(model, keras.callbacks.Callback, data, steps)
        return steps * arguments.batch, seconds

    return stretch
