"""What happens at the end of a batch and of an epoch: measuring, keeping weights, stopping a lost run.

Called by `training`. It must not know MLflow.
"""

import logging
import math
import time
from pathlib import Path
from typing import Any

import keras

from fer_exp.errors import TrainingDivergedError
from fer_exp.fit import epoch_metrics
from fer_exp.fit.divergence import guessing, is_far
from fer_exp.fit.snapshot import explained
from fer_exp.options.config import Checkpoint
from fer_exp.process import folders
from fer_exp.signature import log_key, log_mode

_log = logging.getLogger(__name__)


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


class TellDivergence(keras.callbacks.Callback):
    """Says once that a loss is far over that of guessing. The run goes on: a schedule may bring it back.

    Args:
        classes: Number of them.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self._classes, self._told = classes, False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        losses = {"training": (logs or {}).get("loss", 0.0), "validation": (logs or {}).get("val_loss", 0.0)}
        far = {name: loss for name, loss in losses.items() if is_far(loss, self._classes)}
        if far and not self._told:
            self._told = True
            name, loss = next(iter(far.items()))
            _log.warning(
                "The %s loss is %.3g after epoch %s, and guessing among %s classes costs %.2f: the training seems to "
                "diverge. Try a smaller lr, or optimizer.clipnorm=1.0.",
                name, loss, epoch + 1, self._classes, guessing(self._classes),
            )  # fmt: skip


class Keeper(keras.callbacks.Callback):
    """Measures the epochs, and keeps the weights of the best one (or of the last).

    Args:
        checkpoint: What ranks the epochs, and which is kept.
        whole: The model whose weights are kept, without an optimizer; what is fitted has its layers, or some of them.
        images: Training images of an epoch.
        folder: Where the weights go, made when there are some.

    Attributes:
        rows: One entry for each epoch, with its number and metrics.
        kept: Number of the kept epoch and its monitored metric.
    """

    def __init__(self, checkpoint: Checkpoint, whole: keras.Model, images: int, folder: Path) -> None:
        super().__init__()
        self.whole = whole
        self._images, self._folder = images, folder
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
            **{name: values[log_key(name)] for name in epoch_metrics.recorded()},
            "lr": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            "images_per_second": self._images / self._train_seconds,
        }
        self.rows.append({"epoch": epoch + 1, **{key: float(value) for key, value in metrics.items()}})
        value = metrics[self._monitor]
        best = self.kept[1]
        better = value < best if log_mode(self._monitor) == "min" else value > best
        if self._keep == "last" or math.isnan(best) or better:
            self._save(epoch + 1)
            self.kept = (epoch + 1, float(value))

    def _save(self, epoch: int) -> None:
        """Writes the weights beside those that were kept before, which the last snapshot may still go back to."""
        path, previous = self._path(epoch), self._path(self.kept[0])
        with explained(path), folders.put(path) as part:
            self.whole.save_weights(part)
        for old in set(self._folder.glob("*.weights.h5")) - {path, previous}:
            old.unlink(missing_ok=True)

    def restore(self) -> None:
        """Loads the kept weights."""
        self.whole.load_weights(self._path(self.kept[0]))

    def _path(self, epoch: int) -> Path:
        return self._folder / f"after-epoch-{epoch:06d}.weights.h5"
