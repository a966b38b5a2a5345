"""Muon: the momentum of each matrix of weights is made orthogonal before it becomes the step.

Called by `optimizer.muon`. Keras' own Muon leaves the kernels of convolutions to Adam, which are nearly all the weights
of the networks here.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from fer_exp.network.fused_optimizers import AdamW

# Coefficients of Jordan et al.: singular values between 0.01 and 1 come to lie between about 0.7 and 1.2.
_LINEAR, _CUBIC, _QUINTIC = 3.4445, -4.7750, 2.0315
_TINY = 1e-12  # a gradient of zeros has no direction


def orthogonalised(matrix: tf.Tensor, steps: int) -> tf.Tensor:
    """Brings all singular values of a matrix near 1 and leaves its singular vectors.

    Each step of the iteration is an odd polynomial of the matrix, X p(X'X), and the factors p commute: what is iterated
    is the small product X'X alone, and the large matrix is multiplied twice in all.

    Args:
        matrix: float32 (rows, columns).
        steps: Iterations, >= 1; five reach singular values of a hundredth of the norm.

    Returns:
        float32 (rows, columns).

    Source:
        Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
        https://kellerjordan.github.io/posts/muon/.
    """
    if matrix.shape[0] < matrix.shape[1]:
        return tf.transpose(orthogonalised(tf.transpose(matrix), steps))
    gram = tf.matmul(matrix, matrix, transpose_a=True)
    squared_norm = tf.linalg.trace(gram) + _TINY
    gram /= squared_norm
    identity = tf.eye(matrix.shape[1])
    product = identity
    for step in range(steps):
        factor = _LINEAR * identity + _CUBIC * gram + _QUINTIC * tf.matmul(gram, gram)
        product = tf.matmul(product, factor) if step else factor
        if step < steps - 1:
            gram = tf.matmul(gram, tf.matmul(factor, factor))
    return tf.matmul(matrix * tf.math.rsqrt(squared_norm), product)


class Muon(AdamW):
    """Muon for the kernels of convolutions and hidden dense layers, AdamW for all else.

    A kernel (height, width, channels in, channels out) is a matrix of channels out columns. Depthwise kernels, biases
    and parameters of batch normalisation are not matrices, and the last layer's is one row a class.

    Args:
        learning_rate: Of the matrices; float or `LearningRateSchedule`.
        momentum: Share of the momentum that each step keeps, 0 <= momentum < 1; Nesterov's.
        adam_lr_ratio: Learning rate of all else over that of the matrices, > 0.
        steps: Iterations of the orthogonalisation, >= 1.
        **adamw: See `keras.optimizers.AdamW`.
    """

    def __init__(self, learning_rate: Any, *, momentum: float, adam_lr_ratio: float, steps: int, **adamw: Any) -> None:
        super().__init__(learning_rate, **adamw)
        self.momentum = momentum
        self.adam_lr_ratio = adam_lr_ratio
        self.steps = steps

    def build(self, var_list: list[keras.Variable]) -> None:
        """Makes one momentum for each variable, and the second moments of what is left to Adam."""
        if self.built:
            return
        keras.optimizers.Optimizer.build(self, var_list)
        self._momentums = self.add_optimizer_variables(var_list, "momentum")
        self._velocities = [
            None if _is_hidden_matrix(variable) else self.add_variable_from_reference(variable, name="velocity")
            for variable in var_list
        ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable."""
        index = self._get_variable_index(variable)
        if self._velocities[index] is not None:
            super().update_step(gradient, variable, learning_rate * self.adam_lr_ratio)
            return
        gradient, before = tf.cast(gradient, variable.dtype), self._momentums[index]
        momentum = self.momentum * tf.convert_to_tensor(before) + gradient
        self.assign(before, momentum)
        columns = gradient.shape[-1]
        ahead = tf.reshape(gradient + self.momentum * momentum, (-1, columns))
        # The length of what a channel puts out changes alike in matrices of all forms.
        size = math.sqrt(max(1.0, columns / ahead.shape[0]))
        step = tf.reshape(orthogonalised(ahead, self.steps), gradient.shape) * size
        self.assign_sub(variable, tf.cast(learning_rate, variable.dtype) * step)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` takes."""
        own = {"momentum": self.momentum, "adam_lr_ratio": self.adam_lr_ratio, "steps": self.steps}
        return {**super().get_config(), **own}


def _is_hidden_matrix(variable: keras.Variable) -> bool:
    return variable.name == "kernel" and variable.shape[-1] > 1 and "logits" not in variable.path
