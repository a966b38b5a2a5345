"""What happens at the end of a batch and of an epoch: measuring, keeping weights, stopping a lost run.

Called by `training`. It must not know MLflow: what an epoch measured goes to the function it is given.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from fer_exp.config import Checkpoint
from fer_exp.errors import TrainingDivergedError
from fer_exp.signature import log_mode

EpochLog = Callable[[dict[str, float], int], None]


class StopAtNaN(keras.callbacks.Callback):
    """Ends the run at the first loss that is not finite, be it after the last step, where only validation sees it."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._check(
            (logs or {}).get("loss", 0.0), f"The loss became {{}} in epoch {self._epoch + 1}, step {batch + 1}."
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._check((logs or {}).get("val_loss", 0.0), f"The validation loss became {{}} after epoch {epoch + 1}.")

    def _check(self, loss: float, finding: str) -> None:
        if not math.isfinite(loss):
            raise TrainingDivergedError(
                f"{finding.format(loss)} Try a smaller lr, optimizer.clipnorm=1.0, or precision=float32."
            )


class Keeper(keras.callbacks.Callback):
    """Measures the epochs, tells `log_epoch`, and keeps the weights of the best one (or of the last).

    Args:
        checkpoint: What ranks the epochs, and which is kept.
        whole: The model whose weights are kept; what is fitted may be a part of it.
        images: Training images of an epoch.
        path: Where the weights go.
        log_epoch: Called with the metrics of each epoch and its number, from 1.

    Attributes:
        rows: One entry for each epoch, with its number and metrics.
        kept: Number of the kept epoch and its monitored metric.
    """

    def __init__(
        self, checkpoint: Checkpoint, whole: keras.Model, images: int, path: Path, log_epoch: EpochLog
    ) -> None:
        super().__init__()
        self._whole, self._images = whole, images
        self._path, self._log_epoch = path, log_epoch
        self._monitor, self._keep = checkpoint.monitor, checkpoint.keep
        self.rows: list[dict[str, float]] = []
        self.kept: tuple[int, float] = (0, math.nan)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began, self._train_seconds = time.perf_counter(), math.nan

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._train_seconds = time.perf_counter() - self._began

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = logs or {}
        metrics = {
            "train/loss": values["loss"],
            "train/accuracy": values["accuracy"],
            "val/loss": values["val_loss"],
            "val/accuracy": values["val_accuracy"],
            "val/macro_f1": values["val_macro_f1"],
            "lr": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            "images_per_second": self._images / self._train_seconds,
        }
        self.rows.append({"epoch": epoch + 1, **metrics})
        self._log_epoch(metrics, epoch + 1)
        value = metrics[self._monitor]
        best = self.kept[1]
        better = value < best if log_mode(self._monitor) == "min" else value > best
        if self._keep == "last" or math.isnan(best) or better:
            self.kept = (epoch + 1, value)
            partial = self._path.with_name(f"partial-{self._path.name}")
            self._whole.save_weights(partial)
            partial.replace(self._path)  # a kill in the middle of writing leaves the previous weights

    def restore(self) -> None:
        """Loads the kept weights."""
        self._whole.load_weights(self._path)
