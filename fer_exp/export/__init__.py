"""Contract of an export: `build(*, ...) -> Export`, a function that writes files and proves them.

Called by `experiment` through `config.build` after the test split was evaluated. It gets what is to be exported and a
folder; it returns one `Exported` for each file. It must not know how the model was trained or where the files are
logged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fer_exp.dataset import Splits

if TYPE_CHECKING:
    import keras
    import numpy as np


Kind = Literal["float32", "float16", "dynamic", "int8"]

# (model, epochs, peak learning rate) -> None: fits a model of the same input and output on the training split as the
# run itself did (augmentation, loss, class weights, optimizer; cosine to 0), with a line for each epoch.
FineTune = Callable[["keras.Model", int, float], None]


@dataclass(frozen=True)
class Exportable:
    """A trained model and what it takes to export it.

    Attributes:
        model: float32, (batch, height, width, channels) in [0, 255] -> logits (batch, classes).
        splits: The data; `train` to calibrate with, `val` to choose by, `test` to report.
        probabilities: float32 (n, classes), Keras' own on the test split.
        seed: Of whatever is drawn.
        fine_tune: Trains a variant of the model a little more.
    """

    model: "keras.Model"
    splits: Splits
    probabilities: "np.ndarray"
    seed: int
    fine_tune: FineTune


@dataclass(frozen=True)
class Exported:
    """A file and what was measured on it.

    Attributes:
        kind: `float32`, `dynamic` ...
        path: The file.
        accuracy: Share of right answers on the test split, by the file itself.
        agreement: Share of test images on which file and Keras model give the same class.
        size_mb: Size in 10^6 bytes.
        latency_ms_p50: Median time of a call at batch 1 on one thread, in milliseconds.
        latency_ms_p95: Time that 95 % of the calls keep below, in milliseconds.
    """

    kind: str
    path: Path
    accuracy: float
    agreement: float
    size_mb: float
    latency_ms_p50: float
    latency_ms_p95: float


# (what to export, folder) -> one entry for each file
Export = Callable[[Exportable, Path], list[Exported]]
