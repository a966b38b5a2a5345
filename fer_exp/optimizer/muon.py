"""Muon for matrices of weights, Adam with decoupled weight decay for the rest: fewer epochs for the same accuracy."""

from typing import Any

import keras

from fer_exp.network.muon import Muon
from fer_exp.signature import NonNegativeFloat, OpenFraction, PositiveFloat, PositiveInt


def build(
    learning_rate: Any,
    *,
    momentum: OpenFraction,
    steps: PositiveInt,
    weight_decay: NonNegativeFloat,
    adam_lr_ratio: PositiveFloat,
    beta_1: OpenFraction,
    beta_2: OpenFraction,
    epsilon: PositiveFloat,
    clipnorm: PositiveFloat | None,
    ema_momentum: OpenFraction | None,
) -> keras.optimizers.Optimizer:
    """Builds Muon.

    Args:
        learning_rate: Float or `LearningRateSchedule`, of the kernels of convolutions and hidden dense layers; about
            five times what AdamW wants.
        momentum: Share of the momentum that each step keeps, 0 <= momentum < 1.
        steps: Iterations that make the momentum orthogonal, >= 1.
        weight_decay: Share of a kernel that is taken away at each step, times the learning rate, >= 0; biases and
            batch-norm parameters keep theirs.
        adam_lr_ratio: Learning rate of depthwise kernels, biases, batch-norm parameters and the last layer, which
            AdamW updates, over that of the others, > 0.
        beta_1: Decay of AdamW's first moment, 0 <= beta_1 < 1.
        beta_2: Decay of AdamW's second moment, 0 <= beta_2 < 1.
        epsilon: Added to AdamW's denominator, > 0.
        clipnorm: Largest norm of each variable's gradient, > 0; null for no limit.
        ema_momentum: Validate, keep and export an exponential moving average of the weights, 0 <= momentum < 1;
            null for the weights themselves.

    Source:
        Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
        https://kellerjordan.github.io/posts/muon/.
    """
    optimizer = Muon(
        learning_rate,
        momentum=momentum,
        adam_lr_ratio=adam_lr_ratio,
        steps=steps,
        weight_decay=weight_decay,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        clipnorm=clipnorm,
        use_ema=ema_momentum is not None,
        ema_momentum=ema_momentum or 0.0,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
