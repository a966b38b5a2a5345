"""What every epoch measures beside the loss. To add a metric, add an entry to `EPOCH_METRICS`: all else follows.

It can then be monitored by checkpoint, early stopping and searches, appears on the terminal, and is recorded and drawn.
Called by `signature` for the names, by `fitting` for the metrics, by what shows and records them. Keras is imported
where a metric is built, not before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

LOSS = "loss"


@dataclass(frozen=True)
class EpochMetric:
    """A number between 0 and 1 that a perfect model brings to 1.

    Attributes:
        name: In MLflow, behind `val/`, and in Keras' logs.
        title: For people.
        in_training: Also shown and recorded for the training batches, as `train/<name>`.
        build: Makes Keras' metric of labels (batch, classes) and logits (batch, classes), given its name and the number
            of classes; with its variables, because the first step would be traced twice if it made them.
    """

    name: str
    title: str
    in_training: bool
    build: Callable[[str, int], "keras.metrics.Metric"]


def _accuracy(name: str, classes: int) -> "keras.metrics.Metric":
    import keras

    return keras.metrics.CategoricalAccuracy(name=name)


def _macro_f1(name: str, classes: int) -> "keras.metrics.Metric":
    import keras

    metric = keras.metrics.F1Score(average="macro", name=name)
    metric._build((None, classes), (None, classes))
    return metric


EPOCH_METRICS = (
    EpochMetric("accuracy", "accuracy", in_training=True, build=_accuracy),
    EpochMetric("macro_f1", "macro-F1", in_training=False, build=_macro_f1),
)


def built(classes: int) -> "list[keras.metrics.Metric]":
    """Returns Keras' metrics of a training.

    Args:
        classes: Number of logits.
    """
    return [metric.build(metric.name, classes) for metric in EPOCH_METRICS]


def recorded() -> tuple[str, ...]:
    """Returns what an epoch measures, by the names used in MLflow: `train/loss`, ..., `val/macro_f1`."""
    trained = (f"train/{metric.name}" for metric in EPOCH_METRICS if metric.in_training)
    validated = (f"val/{metric.name}" for metric in EPOCH_METRICS)
    return (f"train/{LOSS}", *trained, f"val/{LOSS}", *validated)
