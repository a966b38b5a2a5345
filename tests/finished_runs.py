"""Runs as if they had been trained: recorded with a model that a test has made."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from contracts import compose, node
from slim_models import SHAPE

from fer_exp.data.emotions import EMOTIONS
from fer_exp.dataset import Split, Splits
from fer_exp.options import config
from fer_exp.tracking import Tracker

SPLIT = Split.of_images(np.zeros((14, *SHAPE), np.uint8), np.arange(14) % 7)
SPLITS = Splits(SPLIT, SPLIT, SPLIT, tuple(EMOTIONS), "f" * 64, "made in the test")


def tracker_in(folder: Path) -> Tracker:
    tracker: Tracker = config.build(
        node("tracking", "mlflow", uri=f"sqlite:///{folder / 'mlflow.db'}", system_metrics=False)
    )
    return tracker


def record(
    tracker: Tracker, folder: Path, overrides: tuple[str, ...], model: keras.Model | None, **changes: Any
) -> str:
    """Records a run and returns its id.

    Args:
        tracker: Where it goes.
        folder: Of the run, which is made.
        overrides: Whose model and fold become its params.
        model: What it has trained; None if it has recorded no model.
        **changes: `class_names` and `data_sha256`, if they are not those of `SPLITS`.
    """
    values = compose(*overrides)
    params = {f"model.{key}": value for key, value in values["model"].items()} | {"fold": values["fold"]}
    names = changes.get("class_names", SPLITS.class_names)
    (folder / "model").mkdir(parents=True)
    (folder / "tables").mkdir()
    pd.DataFrame(columns=["index", "label", "prediction", *(f"p_{name}" for name in names)]).to_csv(
        folder / "tables" / "predictions.csv", index=False
    )
    tags = {"data_sha256": changes.get("data_sha256", SPLITS.sha256)}
    with tracker.run("source", params, tags, folder=folder) as run:
        run.log_folder(folder / "tables")
        if model is not None:
            model.save(folder / "model" / "model.keras")
            run.log_folder(folder / "model")
    return run.run_id
