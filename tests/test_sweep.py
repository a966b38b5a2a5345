"""A multirun is one parent with its children, a leaderboard and a link to the best."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from conftest import CommandLine

from fer_exp.sweep import leaderboard


def test_a_two_by_two_sweep_is_one_parent_with_four_children(command_line: CommandLine, tmp_path: Path) -> None:
    done = command_line(
        "-m", "model.head_units=8,16", "seed=0,1", "model.widths=[4,4]", "dataset.train_size=70", "dataset.val_size=70",
        "dataset.test_size=70", "epochs=1", "export=none", "tracking.system_metrics=false",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("fer_exp")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(runs) == 5
    assert [run.info.status for run in runs] == ["FINISHED"] * 5
    swept = {(run.data.tags["sweep.model.head_units"], run.data.tags["sweep.seed"]) for run in children}
    assert swept == {("8", "0"), ("8", "1"), ("16", "0"), ("16", "1")}
    table = pd.read_csv(client.download_artifacts(parent.info.run_id, "leaderboard.csv"))
    values = [run.data.metrics["best_val/accuracy"] for run in children]
    assert table["best_val/accuracy"].tolist() == sorted(values, reverse=True)
    assert parent.data.tags["best_child"] == table["run_id"][0]
    assert parent.data.tags["mlflow.note.content"].count("\n| ") == 6
    assert len(list((tmp_path / "multirun").glob("*/*/[0-3]/figures/training_curves.png"))) == 4


def test_a_child_that_fails_leaves_the_others_and_the_exit_code_tells(
    command_line: CommandLine, tmp_path: Path
) -> None:
    done = command_line(
        "-m", "lr=1e30,1e-3", "optimizer=sgd", "schedule=constant", "model.widths=[4,4]", "model.head_units=8",
        "dataset.train_size=70", "dataset.val_size=70", "dataset.test_size=70", "batch_size=16", "epochs=2",
        "export=none", "tracking.system_metrics=false",
    )  # fmt: skip
    assert done.returncode == 3
    assert "error: The loss became" in done.stderr
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("fer_exp").experiment_id])
    statuses = {run.data.tags.get("sweep.lr", "parent"): run.info.status for run in runs}
    assert statuses == {"1e+30": "FAILED", "0.001": "FINISHED", "parent": "FAILED"}
    (parent,) = [run for run in runs if "sweep.lr" not in run.data.tags]
    table = pd.read_csv(client.download_artifacts(parent.info.run_id, "leaderboard.csv"))
    assert table["status"].tolist() == ["FINISHED", "FAILED"]


def test_the_leaderboard_ranks_by_validation_and_puts_runs_without_a_value_last() -> None:
    children = pd.DataFrame(
        {
            "run_id": ["a", "b", "c"],
            "name": ["A", "B", "C"],
            "status": ["FINISHED", "FAILED", "FINISHED"],
            "sweep.lr": ["1", "2", "3"],
            "best_val/loss": [0.5, np.nan, 0.25],
            "test/accuracy": [0.9, np.nan, 0.1],
        }
    )
    table = leaderboard(children, "val/loss", ["lr"])
    assert table["name"].tolist() == ["C", "A", "B"]
    assert table["lr"].tolist() == ["3", "1", "2"]
    assert table["rank"].tolist() == [1, 2, 3]
