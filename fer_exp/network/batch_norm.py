"""Batch normalisation in one fused operation: the same numbers as Keras' layer, in about half the time of a step.

Called by the model builders. Keras 3 composes the layer of a dozen elementwise operations on TensorFlow, which on a CPU
cost more than the convolutions around them. Models are saved as if the layer were Keras' own, so that a `.keras` file
loads anywhere, without this package.
"""

import keras
import tensorflow as tf


class BatchNormalization(keras.layers.BatchNormalization):
    """Drop-in for `keras.layers.BatchNormalization`; images (batch, height, width, channels) take the fused path.

    Everything else (other ranks, masks, another axis, renormalisation, synchronised statistics) is left to Keras. On
    several replicas the moving statistics are the mean over all of them. Keras lets those of each replica drift apart,
    validates every image with the statistics of its replica, and saves the first replica's.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Normalises (batch, height, width, channels); see Keras' layer."""
        normalised = self._normalise(inputs, training, mask)
        replicas = tf.distribute.get_replica_context()
        if training and self.trainable and not self.synchronized and replicas and replicas.num_replicas_in_sync > 1:
            moving = (self.moving_mean, self.moving_variance)
            means = replicas.all_reduce("MEAN", [variable.value for variable in moving])
            for variable, mean in zip(moving, means, strict=True):
                variable.assign(mean)
        return normalised

    def _normalise(self, inputs: tf.Tensor, training: bool | None, mask: tf.Tensor | None) -> tf.Tensor:
        fused = len(inputs.shape) == 4 and self.axis in (-1, 3) and self.scale and self.center
        if not fused or mask is not None or self.synchronized or self.renorm:
            return super().call(inputs, training=training, mask=mask)
        learning = bool(training and self.trainable)
        normalised, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            # With an averaging factor of 1 the operation returns the statistics of the batch alone.
            mean=[] if learning else tf.convert_to_tensor(self.moving_mean),
            variance=[] if learning else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            exponential_avg_factor=1.0,
            data_format="NHWC",
            is_training=learning,
        )
        if learning:
            count = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], tf.float32)
            biased = variance * (count - 1.0) / count  # the operation returns Bessel's variance, Keras keeps the other
            self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
            self.moving_variance.assign(self.moving_variance * self.momentum + biased * (1.0 - self.momentum))
        return normalised


# What a saved model names: Keras' own layer, which has the same configuration and the same weights.
BatchNormalization.__module__ = "keras.layers"


def synchronize(model: keras.Model) -> None:
    """Makes batch normalisation take its statistics over the batches of all replicas together, in place.

    The fused operation knows the images of one replica only, so Keras' composed layer does the work, with three
    exchanges between the replicas for each layer.

    Args:
        model: Functional model, built; models inside of it are gone through too.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            synchronize(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def fuse(model: keras.Model, momentum: float) -> keras.Model:
    """Returns a functional model with the same weights whose batch normalisation is fused.

    Args:
        model: For example a backbone of `keras.applications`.
        momentum: Share of the moving statistics that each step keeps, for all of its batch normalisations.
    """

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if type(layer) is keras.layers.BatchNormalization:
            return BatchNormalization.from_config({**layer.get_config(), "momentum": momentum})
        return type(layer).from_config(layer.get_config())

    twin = keras.models.clone_model(model, clone_function=clone)
    twin.set_weights(model.get_weights())
    return twin
