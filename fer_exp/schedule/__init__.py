"""Contract of a schedule: `build(total_steps, steps_per_epoch, *, peak, ...) -> Schedule`.

Called by `training` through `config.build`, once for each fine-tuning stage with that stage's steps and peak. A
schedule must not know the optimizer. Every schedule takes `peak`, whose yaml value is `${lr}`: `lr` has one owner.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    import keras

    from fer_exp.options.config import Experiment


@dataclass(frozen=True)
class Schedule:
    """How the learning rate moves.

    Attributes:
        learning_rate: What the optimizer gets; a plain float if a callback is to change it.
        callbacks: Keras callbacks that change it while training goes on.
    """

    learning_rate: Union[float, "keras.optimizers.schedules.LearningRateSchedule"]
    callbacks: tuple["keras.callbacks.Callback", ...] = ()


def problems(experiment: "Experiment") -> Iterator[str]:
    """Yields what is wrong with the schedule beside the rest of a configuration."""
    name, options = experiment.option("schedule"), experiment.schedule
    if "peak" not in options:
        yield (
            f"`schedule.peak` must be an option of schedule={name}, because each stage of a training starts from a "
            "learning rate of its own. Give its `build` the argument `peak`, and its yaml `peak: ${lr}`."
        )
    warmup = options.get("warmup_epochs", 0)
    if warmup >= experiment.epochs and not experiment.limit_batches:  # a trial of a recipe is not a training
        yield (
            f"`schedule.warmup_epochs` must be smaller than epochs={experiment.epochs}. "
            f"Received: schedule.warmup_epochs={warmup}."
        )
