"""Plain Keras 3, and the pipelines that the articles print: what most projects do today."""

import argparse
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.samples import CLASSES, grey, pixel_strings
from benchmarks.stopwatch import train


def make(arguments: argparse.Namespace) -> Callable[[], tuple[int, float]]:
    """Returns the stretch of the contender that is asked for."""
    if arguments.threads:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    if arguments.net == "cnn":
        model = small_cnn(keras.layers, keras.Input, keras.Model)
    elif arguments.net == "fer_resnet" and arguments.size == 48:
        model = fer_resnet()
    elif arguments.net == "mobilenet_v2":
        model = mobilenet_v2(arguments.size, arguments.alpha)
    else:
        raise SystemExit(f"There is no plain version of {arguments.net} at {arguments.size} pixels.")
    model.compile(
        keras.optimizers.Adam(1e-3), keras.losses.CategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    source = {"keras": batches, "article_generator": row_by_row, "article_image_data_generator": image_data_generator}
    data = source[arguments.contender](arguments.batch)
    steps = max(1, arguments.images // arguments.batch)

    def stretch() -> tuple[int, float]:
        seconds = train(model, keras.callbacks.Callback, data, steps)
        return steps * arguments.batch, seconds

    return stretch


def small_cnn(layers_of: object, make_input: Callable, make_model: Callable) -> object:
    """The small CNN with the library's own batch normalisation; for Keras 3 and Keras 2."""
    inputs = make_input((48, 48, 1))
    x = layers_of.Rescaling(1.0 / 255)(inputs)
    for index, width in enumerate((32, 64, 128, 128)):
        x = layers_of.SeparableConv2D(width, 3, use_bias=False)(x)
        x = layers_of.BatchNormalization(momentum=0.9)(x)
        x = layers_of.ReLU()(x)
        if index % 2:
            x = layers_of.MaxPooling2D()(x)
            x = layers_of.Dropout(0.25)(x)
    x = layers_of.Flatten()(x)
    x = layers_of.Dense(512, use_bias=False)(x)
    x = layers_of.BatchNormalization(momentum=0.9)(x)
    x = layers_of.ReLU()(x)
    x = layers_of.Dropout(0.5)(x)
    return make_model(inputs, layers_of.Dense(CLASSES)(x))


def fer_resnet() -> keras.Model:
    """The network of `model=fer_resnet`, layer for layer, with Keras' own batch normalisation."""

    def convolution(x: keras.KerasTensor, width: int, side: int, first_scale: str = "ones") -> keras.KerasTensor:
        x = layers.Conv2D(width, side, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        return layers.BatchNormalization(momentum=0.9, gamma_initializer=first_scale)(x)

    def block(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
        shortcut = x if x.shape[-1] == width else convolution(x, width, 1)
        x = layers.ReLU()(convolution(x, width, 3))
        return layers.ReLU()(layers.Add()([convolution(x, width, 3, "zeros"), shortcut]))

    inputs = keras.Input((48, 48, 1))
    x = layers.Rescaling(1.0 / 127.5, offset=-1.0)(layers.CenterCrop(44, 44)(inputs))
    x = layers.MaxPooling2D()(layers.ReLU()(convolution(x, 32, 3)))
    for stage, (width, depth) in enumerate(((32, 1), (64, 2), (128, 2), (256, 1))):
        if stage:
            x = layers.AveragePooling2D(2, padding="same")(x)
        for _ in range(depth):
            x = block(x, width)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


def mobilenet_v2(size: int, alpha: float) -> keras.Model:
    """The backbone of `keras.applications` with the head of the second article."""
    backbone = keras.applications.MobileNetV2((size, size, 3), alpha=alpha, include_top=False, weights=None)
    inputs = keras.Input((48, 48, 1))
    x = layers.Resizing(size, size)(inputs)
    x = layers.Concatenate()([x, x, x])
    x = layers.Rescaling(1.0 / 127.5, offset=-1.0)(x)
    x = layers.GlobalAveragePooling2D()(backbone(x))
    x = layers.Dropout(0.3)(layers.Dense(256, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


def batches(batch: int) -> tf.data.Dataset:
    """In memory, shuffled, prefetched: `tf.data` as its guide says."""
    images, labels = grey()

    def load(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(image, tf.float32), tf.one_hot(label, CLASSES)

    rows = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(len(images)).repeat().batch(batch)
    return rows.map(load, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def row_by_row(batch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The first article's generator: the pixels of every row are parsed whenever it is drawn."""
    images, labels = grey()
    strings = pixel_strings(images)
    rng = np.random.default_rng(0)
    while True:
        order = rng.permutation(len(strings))
        for start in range(0, len(order) - batch + 1, batch):
            rows = order[start : start + batch]
            parsed = [np.array(strings[row].split(" "), np.float32).reshape(48, 48, 1) for row in rows]
            yield np.stack(parsed), np.eye(CLASSES, dtype=np.float32)[labels[rows]]


def image_data_generator(batch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The first article's augmentation: image by image, in Python."""
    images, labels = grey()
    generator = tf.keras.preprocessing.image.ImageDataGenerator(
        rotation_range=15, width_shift_range=0.1, height_shift_range=0.1, zoom_range=0.1, horizontal_flip=True
    )
    flow = generator.flow(images.astype(np.float32), np.eye(CLASSES, dtype=np.float32)[labels], batch_size=batch)
    while True:
        yield next(flow)
