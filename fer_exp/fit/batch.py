"""What a batch is: (inputs, targets[, weights]), as `tf.data` makes it and Keras takes it.

    inputs    each input by the name that the data set gives it, float32 (batch, ...)
    targets   what is trained towards, by name:
        labels    float32 (batch, classes), one-hot or soft, rows sum to 1
        offsets   float32 (batch, classes), added to the logits; in training, of a loss that asks for it
        teacher   float32 (batch, classes), what a teacher says of the inputs; in training
    weights   float32 (batch,), of each row in the loss; in training, where classes have weights

Validation has labels alone, so that its loss and metrics are those of any other run.
"""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

LABELS, OFFSETS, TEACHER = "labels", "offsets", "teacher"

Batch = Mapping[str, tf.Tensor]
"""Each input by its name."""
Targets = Mapping[str, tf.Tensor]
Whole = tuple[Any, ...]
"""(inputs, targets[, weights])."""

Augment = Callable[[Batch, tf.Tensor, tf.Tensor, tf.Tensor], tuple[Batch, tf.Tensor]]
"""See `fer_exp.augmentation`."""
