"""A frozen backbone computes its features once, and the head trains on them, in a fraction of the time.

Called by `feed` for stages in which no layer of the backbone learns. It must not know a particular model.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import keras
import numpy as np
import tensorflow as tf

from fer_exp.data import image_store
from fer_exp.data.stored_rows import Rows, StoredRows
from fer_exp.errors import StorageError
from fer_exp.fit.pipeline import reader, without_autotuning
from fer_exp.network import named


@dataclass(frozen=True)
class Features:
    """What the frozen part of a model makes of several augmented views of a split.

    Attributes:
        arrays: The leaves of a batch ({name: features}, targets[, weights]), each (views * rows, ...); in memory, or in
            a file without a name if they are many.
        views: Augmented views of the split.
        structure: A batch with anything in the place of its leaves.
    """

    arrays: tuple[Rows, ...]
    views: int
    structure: Any

    @property
    def rows(self) -> int:
        """Rows of one view."""
        return len(self.arrays[0]) // self.views


def can_split(model: keras.Model) -> bool:
    """Tells whether a model has its backbone at its top level, where `split_model` can divide it."""
    return any(layer.name == "backbone" for layer in model.layers)


def split_model(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Divides a model behind its backbone, before the first layer that has weights of its own.

    Args:
        model: Functional model, one layer after the other, with a layer named `backbone`.

    Returns:
        Trunk (inputs -> features) and head (features -> logits), made of the model's own layers.
    """
    names = [layer.name for layer in model.layers]
    behind = model.layers[names.index("backbone") + 1 :]
    first = next(layer for layer in behind if layer.weights)
    return keras.Model(model.input, first.input), keras.Model(first.input, model.output)


def compute(trunk: keras.Model, batches: Iterable[tuple[Any, ...]], views: int, name: str) -> Features:
    """Runs the trunk over all batches.

    Args:
        trunk: Inputs -> features, called in inference mode.
        batches: Batches (inputs, targets[, weights]) of `views` passes over the split.
        views: How many passes there are.
        name: What the head calls the features.

    Raises:
        StorageError: If memory cannot hold them, and neither can the disk.
    """
    forward = tf.function(lambda inputs: named.call(trunk, inputs), reduce_retracing=True)
    columns: list[_Column] = []
    structure: Any = None
    for inputs, *rest in batches:
        structure = ({name: None}, *rest)
        leaves = tf.nest.flatten(({name: forward(inputs)}, *rest))
        columns = columns or [_Column() for _ in leaves]
        for column, leaf in zip(columns, leaves, strict=True):
            column.add(leaf.numpy())
    names = tf.nest.map_structure(lambda leaf: None, structure)
    return Features(tuple(column.whole() for column in columns), views, names)


def batches_of(features: Features, batch_size: int, *, seed: int, first_epoch: int = 0) -> tf.data.Dataset:
    """Endless batches of one view an epoch, in turn.

    The first epoch of each view comes in the order it was computed in, later ones are shuffled by (seed, epoch).

    Args:
        features: From `compute`.
        batch_size: Images a batch; the last one of an epoch may be smaller.
        seed: Seed of the order.
        first_epoch: Epoch to begin with, from 0, counted from the first of the stage.
    """
    load, rows, views = _loader(features), features.rows, features.views

    def rows_of_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.range(rows)
        shuffled = tf.random.experimental.stateless_shuffle(order, seed=tf.stack([seed, epoch]))
        order = tf.where(epoch < views, order, shuffled) + (epoch % views) * rows
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    epochs = tf.data.Dataset.range(first_epoch, tf.int32.max, output_type=tf.int32)
    return without_autotuning(epochs.flat_map(rows_of_epoch).map(load, num_parallel_calls=2).prefetch(4))


def in_order(features: Features, batch_size: int) -> Iterator[tuple[Any, ...]]:
    """Returns one pass over the rows as they were computed."""
    rows = tf.data.Dataset.range(len(features.arrays[0]), output_type=tf.int32).batch(batch_size)
    return without_autotuning(rows.map(_loader(features)))


def _loader(features: Features) -> Callable[[tf.Tensor], tuple[Any, ...]]:
    """Returns a function of row numbers, int32 (b,), that gives the batch of these rows."""
    readers = [reader(array) for array in features.arrays]

    def load(chosen: tf.Tensor) -> tuple[Any, ...]:
        batch: tuple[Any, ...] = tf.nest.pack_sequence_as(features.structure, [read(chosen) for read in readers])
        return batch

    return load


class _Column:
    """Rows that come one batch after the other: in memory, until they are too many."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []
        self._rows = 0
        self._file: IO[bytes] | None = None

    def add(self, part: np.ndarray) -> None:
        self._parts.append(part)
        self._rows += len(part)
        if self._file is None and image_store.held_in_memory(self._rows * part[0].nbytes):
            return
        try:
            self._file = self._file or tempfile.TemporaryFile()  # noqa: SIM115 (it is mapped as long as it is used)
            for held in self._parts:
                self._file.write(np.ascontiguousarray(held).data)
        except OSError as error:
            raise StorageError(
                f"The features of the frozen backbone are too many for memory, and {tempfile.gettempdir()} cannot be "
                f"written ({error.strerror}). Free space there, name another folder by TMPDIR=, or give the stage "
                "feature_views: 0, which computes them in each step."
            ) from error
        self._parts = [part[:0]]

    def whole(self) -> Rows:
        if self._file is None:
            return np.concatenate(self._parts)
        self._file.flush()
        (like,) = self._parts
        return StoredRows(np.memmap(self._file, like.dtype, "r", shape=(self._rows, *like.shape[1:])))
