"""`reproduce=` from the command line to its verdict, against a run that claims to know every answer."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import CommandLine
from contracts import compose
from finished_runs import tracker_in

from fer_exp.assessment import metrics
from fer_exp.dataset import Splits
from fer_exp.errors import DataError
from fer_exp.options import config
from fer_exp.reporting import tables
from fer_exp.run import experiment
from fer_exp.run.reproduction import request

SMALL = (
    "model.widths=[2,2]", "model.head_units=4", "dataset.train_size=35", "dataset.val_size=35", "dataset.test_size=70",
    "epochs=1", "export=none", "tracking.system_metrics=false", "seed=5", "resume=auto",
)  # fmt: skip


def recorded(folder: Path, sha256: str | None = None) -> str:
    """Records a run that has every test image right, and returns its id."""
    values = compose(*SMALL)
    splits: Splits = config.build(values["dataset"])
    tracker = tracker_in(folder)
    for name in ("config", "tables"):
        (folder / "run" / name).mkdir(parents=True)
    (folder / "run" / "config" / "resolved.yaml").write_text(yaml.safe_dump(values))
    right = metrics.evaluate(np.eye(7)[splits.test.labels], splits.test.labels, splits.class_names)
    tables.predictions_table(right).to_csv(folder / "run" / "tables" / "predictions.csv", index=False)
    tags = {"data_sha256": sha256 or splits.sha256}
    with tracker.run("all right", {}, tags, folder=folder / "run") as run:
        run.log_metrics(metrics.scalars(right, "test"))
        for name in ("config", "tables"):
            run.log_folder(folder / "run" / name)
    return run.run_id


def test_numbers_that_differ_are_told_recorded_and_exit_with_1(command_line: CommandLine, tmp_path: Path) -> None:
    run_id = recorded(tmp_path)
    done = command_line(f"reproduce={run_id}", timeout_seconds=600)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1].startswith("differs: test accuracy 100.00 % then, ")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (again,) = client.search_runs(["1"], f"tags.reproduces = '{run_id}'")
    assert (again.info.status, again.info.run_name) == ("FINISHED", "reproduce all right")
    assert again.data.tags["reproduction"] == done.stdout.splitlines()[-1]
    assert again.data.params["seed"] == "5"
    table = pd.read_csv(client.download_artifacts(again.info.run_id, "tables/reproduction.csv")).set_index("name")
    assert float(table.loc["test/accuracy", "original"]) == 1
    assert float(table.loc["test/accuracy", "reproduction"]) == again.data.metrics["test/accuracy"]
    assert table.loc["device", "original"] == "not recorded"


def test_other_data_stop_it_before_anything_is_trained_or_recorded(tmp_path: Path) -> None:
    run_id = recorded(tmp_path, "0" * 64)
    uri = f"tracking.uri=sqlite:///{tmp_path / 'mlflow.db'}"
    source = request.read([f"reproduce={run_id}", uri, f"cache_dir={tmp_path / 'cache'}"])
    values = compose(*source.overrides)
    with pytest.raises(DataError, match="The data must be those of run"):
        experiment.run(config.check(values), source.overrides, tmp_path / "new", source)
    assert not (tmp_path / "new").exists()
    assert len(mlflow.MlflowClient(uri.partition("=")[2]).search_runs(["1"])) == 1
