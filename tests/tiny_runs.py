"""Runs of a tiny network, as commands in a folder of their own, and what they leave in its store."""

from pathlib import Path

import mlflow
from conftest import environment_for
from processes import Process

TINY = [
    "model.widths=[4,4]",
    "model.head_units=8",
    "dataset.train_size=140",
    "dataset.val_size=70",
    "dataset.test_size=70",
    "batch_size=32",
    "epochs=2",
    "export.max_accuracy_drop=1",  # of 70 images one is more than a point
    "test_time_augmentation=flip",
    "evaluation.temperature_scaling=true",
    "evaluation.robustness=[noise]",
    "evaluation.robustness_images=14",
]


def client_of(folder: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def runs_of(folder: Path, experiment: str = "fer_exp") -> list[mlflow.entities.Run]:
    client = client_of(folder)
    found = client.get_experiment_by_name(experiment)
    return list(client.search_runs([found.experiment_id], order_by=["attributes.start_time ASC"]))


def start(folder: Path, *arguments: str) -> Process:
    return Process("fer_exp", arguments, folder, environment_for())
