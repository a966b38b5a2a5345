"""A frozen backbone computes its features once, and the head trains on them, in a fraction of the time.

Called by `training` for stages in which no layer of the backbone learns. It must not know a particular model.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from fer_exp.pipeline import without_autotuning


@dataclass(frozen=True)
class Features:
    """What the frozen part of a model makes of several augmented views of a split.

    Attributes:
        arrays: The parts of a batch (features, labels and, if there are, weights), each (views * rows, ...).
        views: Augmented views of the split.
    """

    arrays: tuple[np.ndarray, ...]
    views: int

    @property
    def rows(self) -> int:
        """Rows of one view."""
        return len(self.arrays[0]) // self.views


def split_model(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Divides a model behind its backbone, before the first layer that has weights of its own.

    Args:
        model: Functional model, one layer after the other, with a layer named `backbone`.

    Returns:
        Trunk (images -> features) and head (features -> logits), made of the model's own layers.
    """
    names = [layer.name for layer in model.layers]
    behind = model.layers[names.index("backbone") + 1 :]
    first = next(layer for layer in behind if layer.weights)
    return keras.Model(model.input, first.input), keras.Model(first.input, model.output)


def compute(trunk: keras.Model, batches: Iterable[tuple[tf.Tensor, ...]], views: int) -> Features:
    """Runs the trunk over all batches.

    Args:
        trunk: Images -> features, called in inference mode.
        batches: Batches (images, labels[, weights]) of `views` passes over the split.
        views: How many passes there are.
    """
    forward = tf.function(lambda images: trunk(images, training=False), reduce_retracing=True)
    found = [(forward(images).numpy(), *(part.numpy() for part in rest)) for images, *rest in batches]
    return Features(tuple(np.concatenate(parts) for parts in zip(*found, strict=True)), views)


def batches_of(features: Features, batch_size: int, *, seed: int, first_epoch: int = 0) -> tf.data.Dataset:
    """Endless batches of one view an epoch, in turn.

    The first epoch of each view comes in the order it was computed in, later ones are shuffled by (seed, epoch).

    Args:
        features: From `compute`.
        batch_size: Rows a batch; the last one of an epoch may be smaller.
        seed: Seed of the order.
        first_epoch: Epoch to begin with, from 0, counted from the first of the stage.
    """
    arrays = [tf.constant(array) for array in features.arrays]
    rows, views = features.rows, features.views

    def rows_of_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.range(rows)
        shuffled = tf.random.experimental.stateless_shuffle(order, seed=tf.stack([seed, epoch]))
        order = tf.where(epoch < views, order, shuffled) + (epoch % views) * rows
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    def load(chosen: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tuple(tf.gather(array, chosen) for array in arrays)

    epochs = tf.data.Dataset.range(first_epoch, tf.int32.max, output_type=tf.int32)
    return without_autotuning(epochs.flat_map(rows_of_epoch).map(load, num_parallel_calls=2).prefetch(4))


def in_order(features: Features, batch_size: int) -> Iterator[tuple[tf.Tensor, ...]]:
    """Returns one pass over the rows as they were computed."""
    return without_autotuning(tf.data.Dataset.from_tensor_slices(features.arrays).batch(batch_size))
