"""What a network answers to images.

Called by whoever has a trained model and asks it. It must not know what the answers are for.
"""

import keras
import numpy as np
import tensorflow as tf

from fer_exp.data import image_rows
from fer_exp.data.image_rows import Images
from fer_exp.fit import test_time

_TRACED_FROM = 10  # batches: tracing the graph takes a second or two, and makes each call faster by half


def predict(model: keras.Model, images: Images, batch_size: int, views: str = "none") -> np.ndarray:
    """Returns probabilities float32 (n, classes) of uint8 images (n, height, width, channels).

    Args:
        model: (batch, height, width, channels) in [0, 255] -> logits (batch, classes).
        images: uint8 (n, height, width, channels).
        batch_size: Images at a time.
        views: `none`, or the kind of views in `test_time.views` whose probabilities are averaged.
    """
    if views != "none":
        parts = [_mean_over_views(model, part, batch_size, views) for part in image_rows.chunks(images)]
        return np.concatenate(parts)

    def call(batch: tf.Tensor) -> tf.Tensor:
        return model(batch, training=False)

    if len(images) > _TRACED_FROM * batch_size:
        call = tf.function(call, [tf.TensorSpec((None, *images.shape[1:]), tf.float32)])
    starts = range(0, len(images), batch_size)
    logits = [call(tf.constant(images[start : start + batch_size], tf.float32)).numpy() for start in starts]
    return tf.nn.softmax(np.concatenate(logits)).numpy()


def _mean_over_views(model: keras.Model, images: np.ndarray, batch_size: int, views: str) -> np.ndarray:
    return np.mean([predict(model, view, batch_size) for view in test_time.views(images, views)], axis=0)
