"""Finished runs without training: a small model, its files and its predictions, recorded as a run records them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from answers import NAMES
from contracts import node

from fer_exp.assessment import metrics
from fer_exp.assessment.metrics import Evaluation
from fer_exp.data.inputs import image
from fer_exp.lite.conversion import convert
from fer_exp.options import config
from fer_exp.record import registry
from fer_exp.reporting import tables
from fer_exp.tracking.mlflow import MlflowTracker

if TYPE_CHECKING:
    import keras

SHAPE = (24, 24, 1)


def tracker_of(uri: Path | str) -> MlflowTracker:
    """Opens a store: the folder of a database, or the address of a server."""
    where = uri if isinstance(uri, str) else f"sqlite:///{uri / 'mlflow.db'}"
    built: MlflowTracker = config.build(node("tracking", "mlflow", uri=where, system_metrics=False))
    return built


def brightness_model(shape: tuple[int, int, int] = SHAPE) -> "keras.Model":
    """Names the first class of a dark image, the second of a grey one, the third of a bright one."""
    import keras

    inputs = keras.Input(shape, name="image")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(1, 1, use_bias=False)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3)(mean))
    kernel = np.full((1, 1, shape[2], 1), 1 / (255 * shape[2]), np.float32)
    # Logits of 40 times (0, m - 1/3, 2 m - 1): they cross at a third and at two thirds.
    model.set_weights([kernel, np.array([[0, 40, 80]], np.float32), np.array([0, -40 / 3, -40], np.float32)])
    return model


def write_tflite(folder: Path, kind: Any = "float32", names: tuple[str, ...] = NAMES) -> Path:
    """Writes the brightness model as a file."""
    path = folder / f"{kind}.tflite"
    ramp = np.linspace(0, 255, 20, dtype=np.uint8)[:, None, None, None] * np.ones((1, *SHAPE), np.uint8)
    path.write_bytes(convert(brightness_model(), kind, names, {"image": ramp}))
    return path


def make_run(
    tracker: MlflowTracker,
    folder: Path,
    evaluation: Evaluation,
    *,
    registered_model: str | None = None,
    at_end: Any = None,
    with_file: bool = False,
    **tags: str,
) -> str:
    """Records a run that ended well and returns its id."""
    model = brightness_model()
    for name in ("model", "tables"):
        (folder / name).mkdir(parents=True)
    model.save(folder / "model" / "model.keras")
    tables.confusion_table(evaluation).to_csv(folder / "tables" / "confusion_matrix.csv")
    tables.predictions_table(evaluation).to_csv(folder / "tables" / "predictions.csv", index=False)
    all_tags = {"data_sha256": "d" * 64, "folder": str(folder), **tags}
    with tracker.run("made", {"lr": 0.1}, all_tags, folder=folder, at_end=at_end) as run:
        run.log_metrics(metrics.scalars(evaluation, "test"))
        run.log_model(model, image(SHAPE))
        for name in ("model", "tables"):
            run.log_folder(folder / name)
        if with_file:
            (folder / "tflite").mkdir()
            write_tflite(folder / "tflite")
            run.log_folder(folder / "tflite")
            run.log_metrics({"tflite/float32/accuracy": 1.0, "tflite/float32/published": 1.0})
        if registered_model is not None:
            run.set_tags({registry.TAG: registered_model})
    return run.run_id
