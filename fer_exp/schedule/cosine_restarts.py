"""Cosine annealing that starts again from a lower peak (SGDR)."""

from typing import Annotated

import keras
from pydantic import Field

from fer_exp.schedule import Schedule
from fer_exp.signature import Fraction, PositiveFloat, PositiveInt


def build(
    total_steps: int,
    steps_per_epoch: int,
    *,
    peak: PositiveFloat,
    first_cycle_epochs: PositiveInt,
    cycle_growth: Annotated[float, Field(ge=1, allow_inf_nan=False)],
    peak_decay: PositiveFloat,
    final_fraction: Fraction,
) -> Schedule:
    """Builds the schedule.

    Args:
        total_steps: Steps of the stage; unused here.
        steps_per_epoch: Steps of one epoch.
        peak: Learning rate at the start of the first cycle.
        first_cycle_epochs: Length of the first cycle in epochs.
        cycle_growth: Each cycle is so many times as long as the one before, >= 1.
        peak_decay: Each cycle starts from so many times the peak of the one before, > 0; only the part above
            `final_fraction` shrinks.
        final_fraction: Share of the first peak that a cycle ends at, 0-1.

    Source:
        Loshchilov and Hutter, 2017, https://arxiv.org/abs/1608.03983.
    """
    return Schedule(
        keras.optimizers.schedules.CosineDecayRestarts(
            initial_learning_rate=peak,
            first_decay_steps=first_cycle_epochs * steps_per_epoch,
            t_mul=cycle_growth,
            m_mul=peak_decay,
            alpha=final_fraction,
        )
    )
