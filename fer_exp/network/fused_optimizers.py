"""Adam, AdamW and SGD whose step is one operation for each variable: Keras' numbers in one pass over the memory.

Called by the optimizer builders. Keras 3 composes a step of Adam of a dozen operations, each of which reads and writes
all weights; on a CPU that costs a small network with a large dense layer as much time as its convolutions.
"""

from typing import Any

import keras
import tensorflow as tf


def _resource(variable: Any) -> tf.Tensor:
    """Returns the handle of a Keras or TensorFlow variable, that of the replica where there are several."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


def _apply_adam(optimizer: Any, gradient: tf.Tensor, variable: Any, learning_rate: Any) -> None:
    """Updates one variable and its two moments."""
    dtype = variable.dtype
    step = tf.cast(optimizer.iterations + 1, dtype)
    index = optimizer._get_variable_index(variable)
    tf.raw_ops.ResourceApplyAdam(
        var=_resource(variable),
        m=_resource(optimizer._momentums[index]),
        v=_resource(optimizer._velocities[index]),
        beta1_power=tf.cast(optimizer.beta_1, dtype) ** step,
        beta2_power=tf.cast(optimizer.beta_2, dtype) ** step,
        lr=tf.cast(learning_rate, dtype),
        beta1=tf.cast(optimizer.beta_1, dtype),
        beta2=tf.cast(optimizer.beta_2, dtype),
        epsilon=tf.cast(optimizer.epsilon, dtype),
        grad=tf.cast(gradient, dtype),
    )


class Adam(keras.optimizers.Adam):
    """Drop-in for `keras.optimizers.Adam`."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable; see Keras' Adam."""
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
        else:
            _apply_adam(self, gradient, variable, learning_rate)


class AdamW(keras.optimizers.AdamW):
    """Drop-in for `keras.optimizers.AdamW`; Keras takes the decay away before the step."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable; see Keras' Adam."""
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
        else:
            _apply_adam(self, gradient, variable, learning_rate)


class SGD(keras.optimizers.SGD):
    """Drop-in for `keras.optimizers.SGD`."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable and its momentum; see Keras' SGD."""
        if not self.momentum or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        dtype = variable.dtype
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=_resource(variable),
            accum=_resource(self.momentums[self._get_variable_index(variable)]),
            lr=tf.cast(learning_rate, dtype),
            grad=tf.cast(gradient, dtype),
            momentum=tf.cast(self.momentum, dtype),
            use_nesterov=self.nesterov,
        )
