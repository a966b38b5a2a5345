"""Runs of a real store are compared from the command line: shown, written, logged; what cannot be is told."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from answers import answered, right
from conftest import environment_for
from contracts import node
from rich.console import Console

from fer_exp.compare.comparing import run
from fer_exp.errors import ComparisonError
from fer_exp.options import config
from fer_exp.reporting.tables import predictions_table

EVIL = "<script>alert(1)</script> [red] \x1b[2J"
MakeRun = Callable[..., str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty database."""
    folder = tmp_path_factory.mktemp("store")
    config.build(node("tracking", "mlflow", uri=f"sqlite:///{folder / 'mlflow.db'}"))
    return folder


@pytest.fixture(scope="module")
def client(store: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{store / 'mlflow.db'}")


@pytest.fixture(scope="module")
def make(client: mlflow.MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """Makes a run that looks as if it had been trained."""
    found = client.get_experiment_by_name("fer_exp")
    table = tmp_path_factory.mktemp("files") / "predictions.csv"

    def one(
        share: float, seed: int = 0, *, name: str = "a run", status: str = "FINISHED", table_text: str | None = None,
        parent: str | None = None, predictions: bool = True, **tags: str,
    ) -> str:  # fmt: skip
        all_tags = {"data_sha256": "d" * 64, **tags} | ({"mlflow.parentRunId": parent} if parent else {})
        run_id: str = client.create_run(found.experiment_id, run_name=name, tags=all_tags).info.run_id
        params = {"lr": share, "seed": seed, "checkpoint.monitor": "val/accuracy", "tracking.uri": "x", "name": name}
        for key, value in params.items():
            client.log_param(run_id, key, value)
        client.log_metric(run_id, "best_val/accuracy", share)
        if predictions:
            predictions_table(answered(right(share, seed))).to_csv(table, index=False)
            if table_text is not None:
                table.write_text(table_text)
            client.log_artifact(run_id, str(table), "tables")
        client.set_terminated(run_id, status)
        return run_id

    return one


@pytest.fixture(scope="module")
def sweep(client: mlflow.MlflowClient, make: MakeRun) -> str:
    """The parent of a sweep over two learning rates and three seeds, and of one run that failed."""
    found = client.get_experiment_by_name("fer_exp")
    parent: str = client.create_run(found.experiment_id, tags={"sweep": "lr seed"}, run_name="sweep").info.run_id
    for share in (0.5, 0.9):
        for seed in range(3):
            make(share, seed, name=EVIL, parent=parent)
    make(0.1, name="broken\x1b[2J", status="FAILED", parent=parent, predictions=False)
    client.set_terminated(parent)
    return parent


def compared(store: Path, *ids: str, by: tuple[str, ...] = (), baseline: str | None = None, html: Any = None) -> Path:
    return run(ids, [f"tracking.uri=sqlite:///{store / 'mlflow.db'}"], by, baseline, html, Console(quiet=True))


def refusal(store: Path, *ids: str, **options: Any) -> list[str]:
    with pytest.raises(ComparisonError) as caught:
        compared(store, *ids, **options)
    assert not list(Path("outputs").glob("compare-*"))
    return str(caught.value).splitlines()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_sweep_is_compared_from_the_command_line(
    store: Path, client: mlflow.MlflowClient, sweep: str, tmp_path: Path
) -> None:
    script = (
        "import runpy, sys; sys.argv[0] = 'compare'; runpy.run_module('fer_exp.compare', run_name='__main__');"
        "print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    uri = f"tracking.uri=sqlite:///{store / 'mlflow.db'}"
    done = subprocess.run(
        [sys.executable, "-c", script, sweep, "--baseline", "B", "--html", "page.html", "--by", "lr", uri],
        cwd=tmp_path, env=environment_for(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("[]")  # TensorFlow stayed out
    for text in (
        "What differs",
        "lr=0.5",
        "B (baseline)",
        "worse",
        "new images and replicates",
        "broken\N{REPLACEMENT CHARACTER}[2J) is FAILED",
    ):
        assert text in done.stdout
    assert "\x1b" not in done.stdout  # a name cannot clear the screen
    (folder,) = (tmp_path / "outputs").glob("compare-*")
    assert str(folder) in done.stdout
    names = {"compare.html", "confusion_difference.png", "parameters.csv", "groups.csv", "significance.csv",
             "pairs.csv", "classes.csv", "runs.csv"}  # fmt: skip
    assert {path.name for path in folder.iterdir()} == names
    assert {Path(entry.path).name for entry in client.list_artifacts(sweep, "compare")} == names
    page = (tmp_path / "page.html").read_text()
    assert page == (folder / "compare.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; [red]" in page
    assert pd.read_csv(folder / "significance.csv")["verdict"].tolist() == ["worse"]


def test_a_chain_stands_for_its_source_and_its_stages(store: Path, client: mlflow.MlflowClient, make: MakeRun) -> None:
    source, first, second = make(0.9, name="whole"), make(0.8, name="half"), make(0.85, name="half, taught")
    tags = {"compression": "short", "started_from": source, "stage.1": f"prune {first}", "stage.2": f"distil {second}"}
    experiment = client.get_run(source).info.experiment_id
    chain = client.create_run(experiment, tags=tags, run_name="compress").info.run_id
    client.set_terminated(chain)
    folder = compared(store, chain)
    assert pd.read_csv(folder / "runs.csv")["run_id"].tolist() == [source, first, second]
    assert {Path(entry.path).name for entry in client.list_artifacts(chain, "compare")} >= {"runs.csv"}


def test_runs_named_one_by_one_are_logged_onto_a_run_with_links(
    store: Path, client: mlflow.MlflowClient, make: MakeRun
) -> None:
    ids = [make(0.5), make(0.9, name="weird [red](x)")]
    folder = compared(store, *ids)
    experiment = client.get_experiment_by_name("fer_exp").experiment_id
    (logged,) = client.search_runs([experiment], f"tags.compared = '{' '.join(ids)}'")
    assert logged.info.run_name == "compare lr=0.5 | lr=0.9"
    assert logged.info.status == "FINISHED"
    for run_id in ids:
        assert f"(#/experiments/{experiment}/runs/{run_id})" in logged.data.tags["mlflow.note.content"]
    assert "compare/compare.html" in {entry.path for entry in client.list_artifacts(logged.info.run_id, "compare")}
    assert pd.read_csv(folder / "runs.csv")["run_id"].tolist() == ids


def test_a_sweep_and_a_run_in_it_count_each_run_once(store: Path, sweep: str, client: mlflow.MlflowClient) -> None:
    experiment = client.get_experiment_by_name("fer_exp").experiment_id
    child = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{sweep}'")[-1].info.run_id
    folder = compared(store, child, sweep, baseline=child)
    assert len(pd.read_csv(folder / "runs.csv")) == 6


def test_predictions_come_back_as_they_were_written(store: Path, make: MakeRun) -> None:
    folder = compared(store, make(0.5), make(0.9))
    accuracies = pd.read_csv(folder / "runs.csv")["test/accuracy"]
    assert accuracies.tolist() == [float(np.mean(right(0.5, 0))), float(np.mean(right(0.9, 0)))]


def test_malformed_and_unknown_ids_are_told_all_at_once(store: Path) -> None:
    unknown = "0" * 32
    assert refusal(store, "lr", unknown, unknown) == [
        "`id` must be the id of a run (32 hex digits, or the first 8). Received: lr.",
        f"`id` must be a run in sqlite:///{store / 'mlflow.db'}. Received: {unknown}, which is not there.",
    ]
    assert refusal(store) == ["`id` must name runs, or a sweep or chain by its parent run. Received: none."]


def test_a_deleted_run_is_not_there(store: Path, client: mlflow.MlflowClient, make: MakeRun) -> None:
    gone = make(0.5)
    client.delete_run(gone)
    (line,) = refusal(store, gone)
    assert line.endswith(f"Received: {gone}, which is not there.")


def test_a_run_that_is_not_finished_is_told(store: Path, make: MakeRun) -> None:
    failed = make(0.5, name="broken", status="FAILED")
    assert refusal(store, failed, make(0.9)) == [
        f"`id` must be a finished run. Received: {failed} (broken), which is FAILED."
    ]


def test_a_sweep_without_a_finished_run_is_told(store: Path, client: mlflow.MlflowClient, make: MakeRun) -> None:
    found = client.get_experiment_by_name("fer_exp")
    parent = client.create_run(found.experiment_id, tags={"sweep": "lr"}, run_name="doomed").info.run_id
    make(0.5, status="KILLED", parent=parent, predictions=False)
    assert refusal(store, parent) == [
        f"`id` must be a sweep or a chain with finished runs. Received: {parent} (doomed): none of its 1 runs is "
        "FINISHED."
    ]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"predictions": False}, "`id` must be a run with tables/predictions.csv. Received: {}, which has none."),
        ({"table_text": "row,label\n0,happy\n"},
         "tables/predictions.csv of {} cannot be read: there must be columns row, label, prediction and p_<class>; "
         "found ['row', 'label']."),
        ({"table_text": ""}, "tables/predictions.csv of {} cannot be read: No columns to parse from file."),
        ({"table_text": "row,label,prediction,p_a,p_b\n1,a,a,0.9,0.1\n"},
         "tables/predictions.csv of {} cannot be read: `row` must count from 0 without a gap."),
        ({"table_text": "row,label,prediction,p_a,p_b\n0,c,a,0.9,0.1\n"},
         "tables/predictions.csv of {} cannot be read: every label and prediction must have a column p_<class>; "
         "c has none."),
        ({"table_text": "row,label,prediction,p_a,p_b\n0,a,b,0.9,0.1\n"},
         "tables/predictions.csv of {} cannot be read: every prediction must be the most probable class."),
    ],
)  # fmt: skip
def test_missing_and_damaged_predictions_are_told(
    store: Path, make: MakeRun, options: dict[str, Any], line: str
) -> None:
    bad = make(0.5, name="bad", **options)
    assert refusal(store, bad, make(0.9)) == [line.format(f"{bad} (bad)")]


def test_replicates_of_one_configuration_are_not_a_comparison(store: Path, make: MakeRun) -> None:
    (line,) = refusal(store, make(0.5, 0), make(0.5, 1, name="other"))
    assert "Received: 2 runs that differ in nothing but seed." in line


def test_a_baseline_and_keys_that_are_not_there_are_told(store: Path, make: MakeRun) -> None:
    ids = (make(0.5), make(0.9))
    (line,) = refusal(store, *ids, baseline="0" * 32)
    assert line.startswith("`--baseline` must be one of the groups or of their runs: A (lr=0.5), B (lr=0.9).")
    (line,) = refusal(store, *ids, by=("lrr",))
    assert line.endswith("Received: --by lrr. Did you mean lr?")
    for html in ("nowhere/page.html", "."):
        (line,) = refusal(store, *ids, html=Path(html))
        assert line == f"`--html` must be a file in an existing folder. Received: {html}."


def test_a_folder_without_runs_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fer_exp.compare", "0" * 32],
        cwd=tmp_path, env=environment_for(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: `tracking.uri` must lead to runs: there is no {tmp_path / 'mlflow.db'}")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
