"""Linear warm-up, then half a cosine down."""

import keras

from fer_exp.schedule import Schedule
from fer_exp.signature import Fraction, NonNegativeInt, PositiveFloat


def build(
    total_steps: int,
    steps_per_epoch: int,
    *,
    peak: PositiveFloat,
    warmup_epochs: NonNegativeInt,
    final_fraction: Fraction,
) -> Schedule:
    """Builds the schedule.

    Args:
        total_steps: Steps of the stage; the cosine ends with the last of them.
        steps_per_epoch: Steps of one epoch.
        peak: Learning rate at the end of the warm-up.
        warmup_epochs: Epochs in which the rate rises linearly from 0 to `peak`, less than all epochs; a stage
            shorter than that warms up over half of itself.
        final_fraction: Share of `peak` that is left at the end, 0-1.

    Source:
        Loshchilov and Hutter, 2017, https://arxiv.org/abs/1608.03983.
    """
    warmup_steps = min(warmup_epochs * steps_per_epoch, total_steps // 2)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else peak,
        decay_steps=total_steps - warmup_steps,
        alpha=final_fraction,
        warmup_target=peak if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    return Schedule(rate)
