"""Stochastic gradient descent with Nesterov momentum."""

from typing import Any

import keras

from fer_exp.network.fused_optimizers import SGD
from fer_exp.signature import NonNegativeFloat, OpenFraction, PositiveFloat


def build(
    learning_rate: Any,
    *,
    momentum: OpenFraction,
    nesterov: bool,
    weight_decay: NonNegativeFloat,
    clipnorm: PositiveFloat | None,
    ema_momentum: OpenFraction | None,
) -> keras.optimizers.Optimizer:
    """Builds SGD.

    Args:
        learning_rate: Float or `LearningRateSchedule`.
        momentum: Share of the last step that is kept, 0 <= momentum < 1.
        nesterov: Look ahead along the momentum before the gradient is taken.
        weight_decay: Decoupled decay of kernels (not of biases and batch-norm parameters), times the learning
            rate, >= 0.
        clipnorm: Largest norm of each variable's gradient, > 0; null for no limit.
        ema_momentum: Validate, keep and export an exponential moving average of the weights, 0 <= momentum < 1;
            null for the weights themselves.
    """
    optimizer = SGD(
        learning_rate,
        momentum=momentum,
        nesterov=nesterov,
        weight_decay=weight_decay or None,
        clipnorm=clipnorm,
        use_ema=ema_momentum is not None,
        ema_momentum=ema_momentum or 0.0,
    )
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
