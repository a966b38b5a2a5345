"""A learning rate that drops by a factor at given points of the training."""

from typing import Annotated

import keras
from pydantic import Field

from fer_exp.errors import ConfigError
from fer_exp.schedule import Schedule
from fer_exp.signature import PositiveFloat


def build(
    total_steps: int,
    steps_per_epoch: int,
    *,
    peak: PositiveFloat,
    milestones: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)],
    factor: PositiveFloat,
) -> Schedule:
    """Builds the schedule.

    Args:
        total_steps: Steps of the stage.
        steps_per_epoch: Steps of one epoch; unused here.
        peak: Learning rate before the first milestone.
        milestones: Shares of the stage after which the rate drops, each 0-1, ascending.
        factor: What the rate is multiplied with at a milestone, > 0.

    Raises:
        ConfigError: If the milestones do not ascend.
    """
    if milestones != sorted(set(milestones)):
        raise ConfigError([f"`schedule.milestones` must ascend. Received: schedule.milestones={milestones}."])
    boundaries = [round(share * total_steps) for share in milestones]
    values = [peak * factor**drops for drops in range(len(milestones) + 1)]
    return Schedule(keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values))
