"""What a person sees while a model trains: a live bar on a terminal, plain lines elsewhere.

Called by `training`. It only watches; it must not change anything.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fer_exp.fit import epoch_metrics
from fer_exp.reporting import console as terminal
from fer_exp.signature import log_key

_WIDE = 120  # letters, in which all columns of the bar have room


class TrainingProgress(keras.callbacks.Callback):
    """Shows stage, epoch, loss, accuracy, images a second and the time left until the last epoch.

    Args:
        console: Where to write.
        stage: Name of the stage.
        first_epoch: Number of the stage's first epoch, from 0.
        last_epoch: Number of epochs of the whole run.
        steps: Batches an epoch.
        batch_size: Images a batch.
    """

    def __init__(
        self, console: Console, stage: str, first_epoch: int, last_epoch: int, steps: int, batch_size: int
    ) -> None:
        super().__init__()
        self._console, self._stage, self._steps, self._batch_size = console, stage, steps, batch_size
        self._first, self._last = first_epoch, last_epoch
        self._progress: Progress | None = None
        self._first_step = ExitStack()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the bar, if there is a terminal to draw it on; says elsewhere what the first step waits for."""
        if not self._console.is_terminal:
            self._first_step.enter_context(terminal.waiting(self._console, "compiling the first step"))
        else:
            narrow = self._is_narrow()  # there nothing may be cut that is worth reading
            self._progress = Progress(
                TextColumn("{task.description}", style="bold", markup=False),
                BarColumn(bar_width=10 if narrow else 40),
                *([] if narrow else [MofNCompleteColumn()]),
                TextColumn("{task.fields[now]}", markup=False),
                TimeRemainingColumn(),
                TextColumn("left", markup=False),
                console=self._console,
                transient=True,
            )
            total = (self._last - self._first) * self._steps
            self._task = self._progress.add_task("compiling the first step", total=total, now="")
            self._progress.start()

    def _is_narrow(self) -> bool:
        return self._console.width < _WIDE

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes when the epoch began."""
        self._epoch, self._began, self._shown = epoch, time.perf_counter(), 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the bar, at most five times a second."""
        now = time.perf_counter()
        self._first_step.close()
        if self._progress is None or now - self._shown < 0.2:
            return
        self._shown = now
        rate = (batch + 1) * self._batch_size / (now - self._began)
        shown = logs or {}
        self._progress.update(
            self._task,
            completed=(self._epoch - self._first) * self._steps + batch + 1,
            description=f"{self._stage}: epoch {self._epoch + 1}/{self._last}",
            now=f"loss {shown.get('loss', 0):.3f}  accuracy {shown.get('accuracy', 0):.3f}"
            + ("" if self._is_narrow() else f"  {rate:,.0f} images/s"),
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Leaves one line for the epoch."""
        if self._progress is not None:
            self._progress.update(self._task, completed=(epoch + 1 - self._first) * self._steps)
        values = logs or {}
        seconds = time.perf_counter() - self._began
        parts = [
            f"epoch {epoch + 1:>3}/{self._last}",
            self._stage,
            *(f"{split} {_measured(values, split)}" for split in ("train", "val")),
            f"{seconds:.1f} s, {seconds * (self._last - epoch - 1):.0f} s left",
        ]
        self._console.print("  ".join(parts), highlight=False, soft_wrap=True)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Takes the bar away."""
        self.close()

    def close(self) -> None:
        """Takes the bar away, also after an error, which Keras does not tell callbacks about."""
        self._first_step.close()
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _measured(values: Mapping[str, Any], split: str) -> str:
    titles = {metric.name: metric.title for metric in epoch_metrics.EPOCH_METRICS} | {epoch_metrics.LOSS: "loss"}
    return " ".join(
        f"{titles[name.partition('/')[2]]} {values[log_key(name)]:.4f}"
        for name in epoch_metrics.recorded()
        if name.startswith(f"{split}/")
    )
