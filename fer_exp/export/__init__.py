"""Contract of an export: `build(*, ...) -> Export`, a function that writes files and proves them.

Called by `publication` through `config.build` after the test split was evaluated. It gets what is to be exported and a
folder; it returns one `Exported` for each file. It must not know how the model was trained or where the files are
logged.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fer_exp.assessment.metrics import Evaluation
from fer_exp.data.inputs import Inputs
from fer_exp.dataset import Splits
from fer_exp.lite.benchmark import Speed
from fer_exp.model import takes
from fer_exp.options import config

if TYPE_CHECKING:
    import keras
    import numpy as np
    from rich.console import Console

Kind = Literal["float32", "float16", "dynamic", "int8", "int8_qat"]

# (model, epochs, peak learning rate) -> None: fits a model of the same input and output on the training split as the
# run itself did (augmentation, loss, class weights, optimizer; cosine to 0), with a line for each epoch.
FineTune = Callable[["keras.Model", int, float], None]


_COMPARED = (
    *("accuracy", "macro_f1", "accuracy_drop", "agreement", "val_accuracy", "size_mb", "latency_ms_p50", "published"),
)
"""Numbers of a file that are metrics of its run."""


@dataclass(frozen=True)
class Exportable:
    """A trained model and what it takes to export it.

    Attributes:
        model: float32, inputs (batch, ...) -> logits (batch, classes).
        splits: The data; `train` to calibrate with, `val` to choose by, `test` to report.
        evaluation: Keras' own answers on the test split.
        predict: Keras' probabilities (n, classes) of rows of each input.
        seed: Of whatever is drawn.
        fine_tune: Trains a variant of the model a little more.
        facts: What a file says of where it comes from: `run_id` and so on, plain values.
        console: Where progress is shown.
    """

    model: "keras.Model"
    splits: Splits
    evaluation: Evaluation
    predict: Callable[[Inputs], "np.ndarray"]
    seed: int
    fine_tune: FineTune
    facts: Mapping[str, Any]
    console: "Console"


@dataclass(frozen=True)
class Gap:
    """How much worse a file is than Keras on the same images; negative if it is better.

    Attributes:
        accuracy: Keras' accuracy minus the file's.
        low: Lower end of its 95 % interval.
        high: Upper end.
        agreement: Share of images on which both give the same class.
        recall: Largest drop of a class's recall.
        recall_class: The class.
    """

    accuracy: float
    low: float
    high: float
    agreement: float
    recall: float
    recall_class: str


@dataclass(frozen=True)
class Exported:
    """A file and what was measured on it.

    Attributes:
        kind: `float32`, `dynamic` ...
        path: The file.
        withheld: Why it is not published; empty if it is.
        val: Its own answers on the validation split, which decides.
        val_gap: Against Keras on the validation split.
        test: Its own answers on the test split, which is reported.
        test_gap: Against Keras on the test split.
        size_mb: Size in 10^6 bytes.
        speed: What running it costs.
        more: Numbers to track that only this kind has, by name.
    """

    kind: Kind
    path: Path
    withheld: str
    val: Evaluation
    val_gap: Gap
    test: Evaluation
    test_gap: Gap
    size_mb: float
    speed: Speed
    more: Mapping[str, float] = field(default_factory=dict)

    def tracked(self) -> dict[str, float]:
        """Returns those of the numbers that people compare runs by; the table of a run has all of them."""
        names = (*_COMPARED, *self.more)
        return {name: value for name, value in self.numbers().items() if name in names}

    def numbers(self) -> dict[str, float]:
        """Returns all numbers, by name; latency without a number of threads is that of one thread."""
        found = {
            "accuracy": self.test.accuracy,
            "macro_f1": self.test.macro_f1,
            "accuracy_drop": self.test_gap.accuracy,
            "accuracy_drop_low": self.test_gap.low,
            "accuracy_drop_high": self.test_gap.high,
            "agreement": self.test_gap.agreement,
            "worst_recall_drop": self.test_gap.recall,
            "val_accuracy": self.val.accuracy,
            "val_accuracy_drop": self.val_gap.accuracy,
            "size_mb": self.size_mb,
            "load_ms": self.speed.load_ms,
            "published": float(not self.withheld),
        }
        found |= self.more
        if self.speed.memory_mb is not None:
            found["memory_mb"] = self.speed.memory_mb
        for threads, latency in self.speed.latency.items():
            end = "" if threads == 1 else f"_{threads}_threads"
            found |= {f"latency_ms_p50{end}": latency.p50, f"latency_ms_p95{end}": latency.p95}
        return found


# (what to export, folder) -> one entry for each file
Export = Callable[[Exportable, Path], list[Exported]]


def problems(experiment: config.Experiment) -> Iterator[str]:
    """Yields the kinds of files that cannot be made of the model."""
    taken = takes(str(experiment.model["_target_"]))
    if "int8_qat" in (experiment.export.get("kinds") or ()) and taken != ("image",):
        yield (
            "`export.kinds` may hold int8_qat for models of one image alone. "
            f"Received: int8_qat for model={experiment.option('model')}, which takes {' and '.join(taken)}."
        )
