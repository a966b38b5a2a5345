"""Contract of a schedule: `build(total_steps, steps_per_epoch, *, peak, ...) -> Schedule`.

Called by `training` through `config.build`, once for each fine-tuning stage with that stage's steps and peak. A
schedule must not know the optimizer. Every schedule takes `peak`, whose yaml value is `${lr}`: `lr` has one owner.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Schedule:
    """How the learning rate moves.

    Attributes:
        learning_rate: What the optimizer gets; a plain float if a callback is to change it.
        callbacks: Keras callbacks that change it while training goes on.
    """

    learning_rate: Union[float, "keras.optimizers.schedules.LearningRateSchedule"]
    callbacks: tuple["keras.callbacks.Callback", ...] = ()
