"""`.tflite` files, each evaluated again on the test split with the interpreter that phones use."""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from fer_exp.dataset import Split
from fer_exp.export import Export, Exportable, Exported
from fer_exp.litert import Interpreter, Kind, convert
from fer_exp.signature import PositiveInt


def build(*, kinds: Annotated[list[Kind], Field(min_length=1)], latency_calls: PositiveInt) -> Export:
    """Builds the export.

    Args:
        kinds: Any of float32 and dynamic (int8 weights, float activations).
        latency_calls: Calls at batch 1 over which the latency is measured, >= 1.
    """

    def export(exportable: Exportable, folder: Path) -> list[Exported]:
        folder.mkdir(parents=True, exist_ok=True)
        splits = exportable.splits
        results = []
        for kind in dict.fromkeys(kinds):
            path = folder / f"{kind}.tflite"
            path.write_bytes(convert(exportable.model, kind, splits.class_names, splits.train.images[:300]))
            results.append(_measure(path, kind, splits.test, exportable.probabilities, latency_calls))
        return results

    return export


def _measure(path: Path, kind: Kind, test: Split, probabilities: np.ndarray, calls: int) -> Exported:
    interpreter = Interpreter(path)
    predictions = interpreter.predict(test.images).argmax(axis=1)
    latency = interpreter.latency(test.images[0], calls)
    return Exported(
        kind=kind,
        path=path,
        accuracy=float(np.mean(predictions == test.labels)),
        agreement=float(np.mean(predictions == probabilities.argmax(axis=1))),
        size_mb=path.stat().st_size / 1e6,
        latency_ms_p50=latency.p50,
        latency_ms_p95=latency.p95,
    )
