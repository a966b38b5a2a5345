"""Adam with decoupled weight decay."""

from typing import Any

import keras

from fer_exp.network.fused_optimizers import AdamW
from fer_exp.signature import NonNegativeFloat, OpenFraction, PositiveFloat


def build(
    learning_rate: Any,
    *,
    weight_decay: NonNegativeFloat,
    decay_bias_and_norm: bool,
    beta_1: OpenFraction,
    beta_2: OpenFraction,
    epsilon: PositiveFloat,
    clipnorm: PositiveFloat | None,
    ema_momentum: OpenFraction | None,
) -> keras.optimizers.Optimizer:
    """Builds AdamW.

    Args:
        learning_rate: Float or `LearningRateSchedule`.
        weight_decay: Share of a weight that is taken away at each step, times the learning rate, >= 0.
        decay_bias_and_norm: Decay biases and batch-norm parameters too; they rarely profit from it.
        beta_1: Decay of the first moment, 0 <= beta_1 < 1.
        beta_2: Decay of the second moment, 0 <= beta_2 < 1.
        epsilon: Added to the denominator, > 0.
        clipnorm: Largest norm of each variable's gradient, > 0; null for no limit.
        ema_momentum: Validate, keep and export an exponential moving average of the weights, 0 <= momentum < 1;
            null for the weights themselves.

    Source:
        Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101.
    """
    optimizer = AdamW(
        learning_rate,
        weight_decay=weight_decay,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        clipnorm=clipnorm,
        use_ema=ema_momentum is not None,
        ema_momentum=ema_momentum or 0.0,
    )
    if not decay_bias_and_norm:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
