"""Operations on batches of images, for whatever inputs a row has: one draw for all frames of a clip.

Called by the options of `fer_exp.augmentation`. Sounds pass unchanged. It knows no operation.
"""

from collections.abc import Callable
from typing import Literal

import tensorflow as tf

from fer_exp.data.inputs import Specs
from fer_exp.fit.batch import Batch


def each_picture(
    inputs: Batch,
    specs: Specs,
    operation: Callable[[tf.Tensor], tf.Tensor],
    frames: Literal["channels", "rows"],
) -> dict[str, tf.Tensor]:
    """Applies an operation to each image and each clip of a batch.

    Args:
        inputs: Each input by its name, float32 (batch, ...).
        specs: What they are.
        operation: float32 (batch, height, width, channels) -> the same shape, one draw for each of the batch.
        frames: What the frames of a clip are to the operation: further `channels`, for what moves pixels; or further
            `rows` of one image, for what changes values and has to know colours.
    """
    folded = {"channels": _as_channels, "rows": _as_rows}[frames]
    by_kind = {"image": operation, "clip": lambda clips: folded(clips, operation)}
    return {
        name: by_kind[specs[name].kind](values) if specs[name].kind in by_kind else values
        for name, values in inputs.items()
    }


def _as_channels(clips: tf.Tensor, operation: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    frames, height, width, channels = clips.shape[1:]
    stacked = tf.reshape(tf.transpose(clips, (0, 2, 3, 1, 4)), (-1, height, width, frames * channels))
    apart = tf.reshape(operation(stacked), (-1, height, width, frames, channels))
    return tf.transpose(apart, (0, 3, 1, 2, 4))


def _as_rows(clips: tf.Tensor, operation: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    frames, height, width, channels = clips.shape[1:]
    tall = tf.reshape(clips, (-1, frames * height, width, channels))
    return tf.reshape(operation(tall), (-1, frames, height, width, channels))
