"""Adam."""

from typing import Any

import keras

from fer_exp.network.fused_optimizers import Adam
from fer_exp.signature import OpenFraction, PositiveFloat


def build(
    learning_rate: Any,
    *,
    beta_1: OpenFraction,
    beta_2: OpenFraction,
    epsilon: PositiveFloat,
    clipnorm: PositiveFloat | None,
    ema_momentum: OpenFraction | None,
) -> keras.optimizers.Optimizer:
    """Builds Adam.

    Args:
        learning_rate: Float or `LearningRateSchedule`.
        beta_1: Decay of the first moment, 0 <= beta_1 < 1.
        beta_2: Decay of the second moment, 0 <= beta_2 < 1.
        epsilon: Added to the denominator, > 0.
        clipnorm: Largest norm of each variable's gradient, > 0; null for no limit.
        ema_momentum: Validate, keep and export an exponential moving average of the weights, 0 <= momentum < 1;
            null for the weights themselves.

    Source:
        Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980.
    """
    return Adam(
        learning_rate,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        clipnorm=clipnorm,
        use_ema=ema_momentum is not None,
        ema_momentum=ema_momentum or 0.0,
    )
