"""A learning rate that drops when a metric stops improving."""

from typing import Annotated

import keras
from pydantic import Field

from fer_exp.schedule import Schedule
from fer_exp.signature import Metric, NonNegativeFloat, PositiveFloat, PositiveInt, log_key, log_mode


def build(
    total_steps: int,
    steps_per_epoch: int,
    *,
    peak: PositiveFloat,
    monitor: Metric,
    factor: Annotated[float, Field(gt=0, lt=1)],
    patience: PositiveInt,
    min_delta: NonNegativeFloat,
    min_lr: NonNegativeFloat,
) -> Schedule:
    """Builds the schedule: a plain rate, which Keras' callback may change.

    Args:
        total_steps: Steps of the stage; unused here.
        steps_per_epoch: Steps of one epoch; unused here.
        peak: Learning rate to start with.
        monitor: Metric that is watched.
        factor: What the rate is multiplied with at a plateau, between 0 and 1.
        patience: Epochs without improvement that make a plateau, >= 1.
        min_delta: Smallest change that counts as an improvement, >= 0.
        min_lr: The rate never drops below this, >= 0.
    """
    callback = keras.callbacks.ReduceLROnPlateau(
        monitor=log_key(monitor),
        mode=log_mode(monitor),
        factor=factor,
        patience=patience,
        min_delta=min_delta,
        min_lr=min_lr,
    )
    return Schedule(peak, (callback,))
