"""One learning rate from the first step to the last."""

from fer_exp.schedule import Schedule
from fer_exp.signature import PositiveFloat


def build(total_steps: int, steps_per_epoch: int, *, peak: PositiveFloat) -> Schedule:
    """Builds the schedule.

    Args:
        total_steps: Steps of the stage; unused here.
        steps_per_epoch: Steps of one epoch; unused here.
        peak: The learning rate.
    """
    return Schedule(peak)
