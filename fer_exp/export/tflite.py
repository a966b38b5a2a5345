"""`.tflite` files, each evaluated again on the test split with the interpreter that phones use."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from fer_exp import calibration, litert, model_file
from fer_exp.dataset import Split
from fer_exp.export import Export, Exportable, Exported, Kind
from fer_exp.signature import PositiveInt


def build(
    *, kinds: Annotated[list[Kind], Field(min_length=1)], calibration_images: PositiveInt, latency_calls: PositiveInt
) -> Export:
    """Builds the export.

    Args:
        kinds: Any of float32, float16 (weights of half the size), dynamic (int8 weights, float activations) and int8
            (integers alone, uint8 pixels in).
        calibration_images: Training images, drawn with each class's share, that the ranges of int8 are taken from,
            >= 1.
        latency_calls: Calls at batch 1 over which the latency is measured, >= 1.
    """

    def export(exportable: Exportable, folder: Path) -> list[Exported]:
        splits = exportable.splits
        images = calibration.sample(splits.train, calibration_images, exportable.seed)
        results = []
        for kind in dict.fromkeys(kinds):
            path = folder / f"{kind}.tflite"
            _WRITE[kind](exportable, images, path)
            results.append(_measure(path, kind, splits.test, exportable.probabilities, latency_calls))
        return results

    return export


def _float32(exportable: Exportable, images: np.ndarray, path: Path) -> None:
    model_file.write(path, litert.convert(exportable.model, "float32", exportable.splits.class_names))


def _float16(exportable: Exportable, images: np.ndarray, path: Path) -> None:
    model_file.write(path, litert.convert(exportable.model, "float16", exportable.splits.class_names))


def _dynamic(exportable: Exportable, images: np.ndarray, path: Path) -> None:
    model_file.write(path, litert.convert(exportable.model, "dynamic", exportable.splits.class_names))


def _int8(exportable: Exportable, images: np.ndarray, path: Path) -> None:
    model_file.write(path, litert.convert(exportable.model, "int8", exportable.splits.class_names, images))
    litert.require_full_integer(path)


_WRITE: Mapping[Kind, Callable[[Exportable, np.ndarray, Path], None]] = {
    "float32": _float32,
    "float16": _float16,
    "dynamic": _dynamic,
    "int8": _int8,
}
"""What writes a file of each kind: (what to export, images to calibrate with, target)."""


def _measure(path: Path, kind: Kind, test: Split, probabilities: np.ndarray, calls: int) -> Exported:
    interpreter = litert.Interpreter(path)
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
