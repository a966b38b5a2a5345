"""Batches for training and evaluation, as `tf.data`.

Called by `feed`. Inputs stay as they are stored and become float32 batch by batch. Order, drawn
labels and augmentation of epoch e depend on (seed, e) alone, so that any epoch can be produced again without the ones
before it.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from fer_exp.data.inputs import Inputs
from fer_exp.data.stored_rows import Rows
from fer_exp.dataset import Split
from fer_exp.fit import sampling
from fer_exp.fit.batch import LABELS, OFFSETS, Augment, Batch, Whole

# AutoGraph would read and rewrite all these functions call, to find no `if` and no loop over tensors: half a second.
_written_for_graphs = tf.autograph.experimental.do_not_convert


def steps_in(split: Split, batch_size: int, replicas: int = 1) -> int:
    """Returns the number of training batches in one pass, the last one possibly smaller."""
    return math.ceil(_rows_in_epoch(split, replicas) / batch_size)


def _rows_in_epoch(split: Split, replicas: int) -> int:
    # Unequal shares of the last batch would count unequally, and an empty one turns batch normalisation into NaN.
    return len(split) - len(split) % replicas


def training_batches(
    split: Split,
    batch_size: int,
    *,
    seed: int,
    num_classes: int,
    augment: Augment,
    class_weights: Sequence[float] | None,
    epochs: int,
    first_epoch: int = 0,
    replicas: int = 1,
    how: sampling.Sampling = "natural",
    logit_offsets: Sequence[float] | None = None,
) -> tf.data.Dataset:
    """Endless shuffled, augmented batches, beginning with epoch `first_epoch`.

    Args:
        split: Inputs and labels.
        batch_size: Rows a batch.
        seed: Seed of order and augmentation.
        num_classes: Width of the one-hot labels.
        augment: Batch function (inputs, labels, seed, progress) -> (inputs, labels).
        class_weights: Weight of a row of each class, mixed like its label; None gives every row the same.
        epochs: Epochs of the whole training; the share that is done goes to `augment`.
        first_epoch: Epoch to begin with, from 0.
        replicas: Devices that share each batch evenly; the rows left over, fewer than that, are others each epoch.
        how: How often the classes are drawn, see `sampling`; an epoch has as many rows in any case.
        logit_offsets: Of each class, the same for each row; see `loss.Objective`.

    Returns:
        Batches (inputs by name, float32 (b, ...), targets[, weights float32 (b,)]), the targets as in
        `fer_exp.fit.batch`: labels, which are `split.targets` where there are any, or classes drawn from them, and
        offsets if they are given.
    """
    read, label_of = _inputs(split.inputs), _labels(split, num_classes)
    steps = steps_in(split, batch_size, replicas)
    weights = None if class_weights is None else tf.constant(class_weights, tf.float32)
    offsets = None if logit_offsets is None else tf.constant([logit_offsets], tf.float32)
    order_of = sampling.drawn(split.labels, _rows_in_epoch(split, replicas), how)

    @_written_for_graphs
    def epoch_of_rows(epoch: tf.Tensor) -> tf.data.Dataset:
        rows = tf.data.Dataset.from_tensor_slices(order_of(tf.stack([seed, epoch]))).batch(batch_size)
        return rows.enumerate(start=tf.cast(epoch, tf.int64) * steps)

    @_written_for_graphs
    def load(step: tf.Tensor, rows: tf.Tensor) -> Whole:
        batch: Batch = read(rows)
        labels = label_of(rows)
        if split.drawn:
            labels = draw(labels, tf.stack([seed ^ 0xD4A3, tf.cast(step, tf.int32)]))
        # The constant keeps augmentation and data order from drawing on the same stream.
        progress = tf.cast(step / (epochs * steps), tf.float32)
        batch, labels = augment(batch, labels, tf.stack([seed ^ 0x5EED, tf.cast(step, tf.int32)]), progress)
        weight = () if weights is None else (tf.linalg.matvec(labels, weights),)
        targets = {LABELS: labels}
        if offsets is not None:
            targets[OFFSETS] = tf.tile(offsets, [tf.shape(labels)[0], 1])
        return batch, targets, *weight

    every_epoch = tf.data.Dataset.range(first_epoch, tf.int32.max, output_type=tf.int32)
    return without_autotuning(every_epoch.flat_map(epoch_of_rows).map(load, num_parallel_calls=2).prefetch(4))


def _inputs(inputs: Inputs) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Returns a function of row numbers, int32 (b,), that gives each input of these rows, float32 (b, ...)."""
    readers = {name: reader(values) for name, values in inputs.items()}
    return lambda rows: {name: tf.cast(read(rows), tf.float32) for name, read in readers.items()}


def reader(values: Rows) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function of row numbers, int32 (b,), that gives these rows: out of memory, or off the disk."""
    if isinstance(values, np.ndarray):
        held = tf.constant(values)
        return lambda rows: tf.gather(held, rows)

    def read(rows: tf.Tensor) -> tf.Tensor:
        batch = tf.numpy_function(lambda chosen: values[chosen], [rows], values.dtype, stateful=False)
        return tf.ensure_shape(batch, (None, *values.shape[1:]))

    return read


def _labels(split: Split, num_classes: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function of row numbers, int32 (b,), that gives float32 (b, classes)."""
    if split.targets is not None:
        targets = tf.constant(split.targets, tf.float32)
        return lambda rows: tf.gather(targets, rows)
    labels = tf.constant(split.labels, tf.int32)
    return lambda rows: tf.one_hot(tf.gather(labels, rows), num_classes)


def draw(targets: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws a class for each row from its distribution; of a distribution without doubt it is always the same.

    Args:
        targets: float32 (b, classes), rows sum to 1.
        seed: int32 (2,).

    Returns:
        One-hot, float32 (b, classes).
    """
    cumulated = tf.cumsum(targets, axis=1)
    # Rounding leaves sums a little beside 1: at the sum itself, the draw never goes past the last class with a share.
    drawn = tf.random.stateless_uniform(tf.shape(targets[:, :1]), seed) * cumulated[:, -1:]
    return tf.one_hot(tf.reduce_sum(tf.cast(cumulated <= drawn, tf.int32), axis=1), targets.shape[1])


def even_batch_size(rows: int, batch_size: int, replicas: int) -> int:
    """Returns the largest batch size, at most the given one, whose last batch leaves no replica without a row.

    oneDNN's convolutions do not survive an empty batch.
    """
    while 0 < rows % batch_size < replicas < batch_size:
        batch_size -= replicas
    return batch_size


def evaluation_batches(split: Split, batch_size: int, num_classes: int, replicas: int = 1) -> tf.data.Dataset:
    """Batches in the order of the split, unchanged; with the labels, also where training is towards soft ones.

    Args:
        split: Inputs and labels.
        batch_size: Rows a batch, at most.
        num_classes: Width of the one-hot labels.
        replicas: Devices that share each batch, see `even_batch_size`.

    Returns:
        Batches (inputs by name, float32 (b, ...), targets), the targets being labels, float32 (b, classes).
    """
    read, labels = _inputs(split.inputs), tf.constant(split.labels, tf.int32)

    @_written_for_graphs
    def load(rows: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        return read(rows), {LABELS: tf.one_hot(tf.gather(labels, rows), num_classes)}

    rows = tf.data.Dataset.range(len(split), output_type=tf.int32)
    batches = rows.batch(even_batch_size(len(split), batch_size, replicas))
    return without_autotuning(batches.map(load, num_parallel_calls=2).prefetch(2))


def without_autotuning(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the dataset with its parallelism as written.

    The thread that tunes a dataset wakes after 10, 20, 40 ... milliseconds, and the end of an iteration waits for its
    next waking: a validation of three seconds takes five.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)


def augmented_sample(
    split: Split, augment: Augment, num_classes: int, seed: int, most: int = 128
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Returns the first rows of the split as augmentation leaves them, and the labels of their larger part.

    Args:
        split: Inputs and labels.
        augment: Batch function, as of `training_batches`.
        num_classes: Width of the one-hot labels.
        seed: Of the augmentation.
        most: Largest number of rows.

    Returns:
        Inputs by name in the type that the split has, and int (n,).
    """
    few = split.take(slice(0, most))
    batch, labels = augment(
        {name: tf.constant(values[:], tf.float32) for name, values in few.inputs.items()},
        tf.one_hot(few.labels, num_classes),
        tf.constant([seed, 0], tf.int32),
        tf.constant(0.0),
    )
    types = {name: tf.as_dtype(values.dtype) for name, values in few.inputs.items()}
    plain = {
        name: tf.cast(tf.round(values) if types[name].is_integer else values, types[name]).numpy()
        for name, values in batch.items()
    }
    return plain, labels.numpy().argmax(axis=1)
