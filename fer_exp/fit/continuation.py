"""What a training needs to go on where it was: captured after each epoch, put back before the next.

Called by `training`. It must not know how a stage is made, nor MLflow: what an epoch measured goes to the function it
is given, once the state after that epoch is on disk.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_exp.errors import StorageError
from fer_exp.fit import snapshot
from fer_exp.fit.callbacks import Keeper
from fer_exp.fit.snapshot import Snapshot

# What Keras' EarlyStopping and ReduceLROnPlateau carry from epoch to epoch; the rest of them is configuration.
_REMEMBERED = {"wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter"}

EpochLog = Callable[[dict[str, float], int], None]


@dataclass(frozen=True)
class Place:
    """Where a training is on its way through the stages.

    Attributes:
        stage: Number of the stage, from 0.
        starts: First epoch of each stage so far, from 0; that of this stage is the last one.
    """

    stage: int
    starts: tuple[int, ...]


class Continuation(keras.callbacks.Callback):
    """Keeps the state after each epoch, then reports the epoch: what is recorded is never ahead of what is kept.

    Stands last among the callbacks. The state is taken when the next epoch begins, when averaged weights have made room
    for the trained ones again.

    Args:
        run: Folder of the run.
        key: What the snapshots belong to.
        place: The stage that is fitted.
        keeper: Whose rows and kept epoch are a part of the state.
        log_epoch: Called with the metrics of each epoch and its number, from 1.
        found: State in the middle of this stage to begin with, if there is one.
    """

    def __init__(
        self, run: Path, key: str, place: Place, keeper: Keeper, log_epoch: EpochLog, found: Snapshot | None
    ) -> None:
        super().__init__()
        self.place, self.keeper = place, keeper
        self._run, self._key, self._log_epoch, self._found = run, key, log_epoch, found
        self._followers: Sequence[keras.callbacks.Callback] = ()
        self.completed = len(keeper.rows)

    def put_back_optimizer(self, fitted: keras.Model) -> None:
        """Gives the optimizer its memory again, if there is something to go on from.

        Args:
            fitted: The model, or the part of it that is fitted; compiled, its optimizer's variables made.

        Raises:
            StorageError: If the snapshot was made by other code, whose variables are not the same.
        """
        if self._found is not None:
            own = self._found.arrays[len(self.keeper.whole.variables) :]
            _put_back(self._found, fitted.optimizer.variables, own)

    def watch(self, followers: Sequence[keras.callbacks.Callback]) -> None:
        """Makes callbacks that remember something from epoch to epoch, in plain numbers, a part of the state."""
        self._followers = followers

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Gives the other callbacks their memory back, which they have just emptied."""
        if self._found is not None:
            for callback, memory in zip(self._followers, self._found.state["followers"], strict=True):
                vars(callback).update(memory)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps what there is after the epoch before."""
        if epoch > self.completed:
            self.keep(stage_is_over=False)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Keeps what there is after the stage: the next one begins with the kept weights."""
        self.keep(stage_is_over=True)

    def keep(self, stage_is_over: bool) -> None:
        """Writes the state, then reports the epochs that it is the first to hold.

        Args:
            stage_is_over: The next stage begins with the kept weights and an optimizer of its own.

        Raises:
            StorageError: If the disk is full or cannot be written.
        """
        rows = self.keeper.rows
        state = {
            "stage": self.place.stage,
            "starts": self.place.starts,
            "stage_is_over": stage_is_over,
            "rows": rows,
            "kept": self.keeper.kept,
            "followers": [_memory(callback) for callback in self._followers],
        }
        # Weights, statistics and random states, then the optimizer's memory: all that changes from step to step.
        variables = [*self.keeper.whole.variables, *([] if stage_is_over else self.model.optimizer.variables)]
        snapshot.write(self._run, self._key, len(rows), state, [np.array(variable.numpy()) for variable in variables])
        for row in rows[self.completed :]:
            report(row, self._log_epoch)
        self.completed = len(rows)


def report(row: dict[str, float], log_epoch: EpochLog) -> None:
    """Reports one row of a history."""
    log_epoch({key: value for key, value in row.items() if key != "epoch"}, int(row["epoch"]))


def put_back_model(found: Snapshot, whole: keras.Model) -> None:
    """Gives the model its weights, statistics and random states again.

    Args:
        found: After any epoch.
        whole: The model that is trained.

    Raises:
        StorageError: If the snapshot was made by other code, whose variables are not the same.
    """
    _put_back(found, whole.variables, found.arrays[: len(whole.variables)])


def _put_back(found: Snapshot, variables: Sequence[keras.Variable], arrays: Sequence[np.ndarray]) -> None:
    if [tuple(variable.shape) for variable in variables] != [array.shape for array in arrays]:
        raise StorageError(
            f"The snapshot after epoch {found.epochs} does not fit the model: other code made it. "
            "Start anew with resume=never."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _memory(callback: keras.callbacks.Callback) -> dict[str, float | None]:
    return {key: value for key, value in vars(callback).items() if key in _REMEMBERED}
