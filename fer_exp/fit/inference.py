"""What a network answers to rows of inputs.

Called by whoever has a trained model and asks it. It must not know what the answers are for.
"""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from fer_exp.data import inputs as rows_of
from fer_exp.data.inputs import Inputs, Kind
from fer_exp.fit import test_time
from fer_exp.network import named

_TRACED_FROM = 10  # batches: tracing the graph takes a second or two, and makes each call faster by half


def predict(model: keras.Model, inputs: Inputs, batch_size: int) -> np.ndarray:
    """Returns probabilities float32 (n, classes).

    Args:
        model: Inputs (batch, ...) -> logits (batch, classes).
        inputs: Rows of each input by its name, as they are stored.
        batch_size: Rows at a time.
    """

    def call(batch: dict[str, tf.Tensor]) -> tf.Tensor:
        return named.call(model, batch)

    count = rows_of.count(inputs)
    if count > _TRACED_FROM * batch_size:
        call = tf.function(call, [{n: tf.TensorSpec((None, *x.shape[1:]), tf.float32) for n, x in inputs.items()}])
    logits = [
        call({name: tf.constant(values, tf.float32) for name, values in batch.items()}).numpy()
        for batch in rows_of.chunks(inputs, batch_size)
    ]
    return tf.nn.softmax(np.concatenate(logits)).numpy()


def predict_views(
    model: keras.Model, inputs: Inputs, kinds: Mapping[str, Kind], batch_size: int, views: str
) -> np.ndarray:
    """Returns the mean probabilities over several views of each row, float32 (n, classes).

    Args:
        model: As of `predict`.
        inputs: As of `predict`.
        kinds: Of each input.
        batch_size: As of `predict`.
        views: The kind of views, see `test_time.views`.
    """
    parts = [
        np.mean([predict(model, view, batch_size) for view in test_time.views(part, kinds, views)], axis=0)
        for part in rows_of.chunks(inputs)
    ]
    return np.concatenate(parts)
