"""Contract of an export: `build(*, ...) -> Export`, a function that writes files and proves them.

Called by `experiment` through `config.build` after the test split was evaluated. It gets the float32 Keras model, the
test split with Keras' own probabilities, and a folder; it returns one `Exported` for each file. It must not know how
the model was trained or where the files are logged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_exp.dataset import Split

if TYPE_CHECKING:
    import keras
    import numpy as np


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


# (model, test split, Keras' probabilities on it, class names, folder) -> one entry for each file
Export = Callable[["keras.Model", Split, "np.ndarray", tuple[str, ...], Path], list[Exported]]
