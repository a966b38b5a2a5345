"""Runs end with a true status, numbers land where they belong, and a server that is not there is named."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from contracts import node
from converted import CLIP_AND_SOUND, NAMES, SOUND, keras_answers, rows_of, small_model
from servers import free_port

from fer_exp.data.inputs import Specs
from fer_exp.data.stored_rows import StoredRows
from fer_exp.dataset import Split, Splits
from fer_exp.errors import ConfigError, TrackingError
from fer_exp.options import config
from fer_exp.tracking import tracking_uri
from fer_exp.tracking.mlflow import PARENT_ENV, MlflowTracker


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def tracker(uri: str | None = None) -> MlflowTracker:
    built: MlflowTracker = config.build(node("tracking", "mlflow", uri=uri, system_metrics=False))
    return built


def fetch(where: MlflowTracker, run_id: str) -> mlflow.entities.Run:
    return mlflow.MlflowClient(where.uri).get_run(run_id)


def test_runs_lie_in_the_working_directory_by_default(folder: Path) -> None:
    assert tracker().uri == f"sqlite:///{folder / 'mlflow.db'}"
    assert (folder / "mlflow.db").is_file()


def test_the_environment_wins_over_the_default_and_the_configuration_over_both(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'env.db'}")
    assert tracker().uri.endswith("env.db")
    assert tracker(f"sqlite:///{folder / 'config.db'}").uri.endswith("config.db")


def test_a_relative_database_does_not_follow_the_working_directory(folder: Path) -> None:
    assert tracking_uri("sqlite:///runs/mlflow.db") == f"sqlite:///{folder / 'runs' / 'mlflow.db'}"


def test_a_run_keeps_metrics_params_and_tags() -> None:
    where = tracker()
    params = {f"key_{index}": index for index in range(250)}  # more than a server takes at once
    with where.run("name", params, {"host": "here"}) as run:
        run.log_metrics({"val/loss": 0.5}, 1)
        run.log_metrics({"val/loss": 0.25}, 2)
        run.set_tags({"later": 1})
    found = fetch(where, run.run_id)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "name")
    assert (len(found.data.params), found.data.metrics["val/loss"], found.data.tags["later"]) == (250, 0.25, "1")


def test_names_that_mlflow_refuses_are_recorded_under_others_also_when_a_run_is_gone_on_with(folder: Path) -> None:
    where = tracker()
    tags = {"data_mine (old).skipped": 3, "folder": folder / "run", "long": "x" * 9000}
    (folder / "run").mkdir()
    run_id: str | None = None
    for epoch in (1, 2):
        with where.run("name", {"loss.class_weights.so!": 2}, tags, run_id, folder / "run") as run:
            run.log_metrics({"test/f1/50 %": 0.5}, epoch)
            run.set_tags({"later?": "yes"})
        run_id = run.run_id
    assert run_id is not None
    found = fetch(where, run_id)
    assert (found.info.status, found.data.params) == ("FINISHED", {"loss.class_weights.so_": "2"})
    assert found.data.metrics == {"test/f1/50 _": 0.5}
    assert (found.data.tags["data_mine _old_.skipped"], found.data.tags["later_"]) == ("3", "yes")
    assert len(found.data.tags["long"]) == 8000
    assert not (folder / "run" / "outbox").exists()


def test_a_param_that_is_too_long_costs_no_other_and_not_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")
    where = tracker()
    (folder / "run").mkdir()
    with where.run("name", {"long": "x" * 7000, "lr": 0.1}, {}, folder=folder / "run") as run:
        run.log_metrics({"val/loss": 0.5}, 1)
    found = fetch(where, run.run_id)
    assert (found.info.status, found.data.params, found.data.metrics["val/loss"]) == ("FINISHED", {"lr": "0.1"}, 0.5)
    assert found.data.tags["refused_records"].startswith("1: params: long: ")
    assert "The tracking server refused params of the run: long: " in caplog.text
    assert "x" * 7000 in (folder / "run" / "outbox" / "records.jsonl").read_text(), "what was refused stays on disk"


def test_a_run_that_somebody_deletes_meanwhile_is_trained_to_its_end(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    where = tracker()
    (folder / "run").mkdir()
    ended = False
    with where.run("name", {}, {}, folder=folder / "run") as run:
        mlflow.MlflowClient(where.uri).delete_run(run.run_id)
        for epoch in range(1, 6):
            run.log_metrics({"val/loss": 1 / epoch}, epoch)
        ended = True
    assert ended
    assert "were not delivered to" in caplog.records[-1].message
    assert (folder / "run" / "outbox" / "records.jsonl").read_text().count('"val/loss"') == 5


def test_data_on_disk_are_recorded_like_those_in_memory_without_being_read() -> None:
    class Unread(np.ndarray):
        def __getitem__(self, key: object) -> np.ndarray:
            raise AssertionError("read")

    images, labels = np.zeros((4, 8, 8, 1), np.uint8), np.arange(4) % 2
    found = []
    for held in (images, StoredRows(images.view(Unread))):
        split = Split.of_images(held, labels)
        with tracker().run("name", {}, {}) as run:
            run.log_data(Splits(split, split, split, ("a", "b"), "0" * 64, "made here"))
        found.append([entry.dataset.to_dictionary() for entry in fetch(tracker(), run.run_id).inputs.dataset_inputs])
    assert json.loads(found[0][0]["profile"])["features_shape"] == [4, 8, 8, 1]
    assert found[0] == found[1]


@pytest.mark.parametrize("specs", [SOUND, CLIP_AND_SOUND], ids=["sound", "clip and sound"])
def test_a_model_and_data_of_other_inputs_are_recorded_and_served_by_name(specs: Specs, folder: Path) -> None:
    where, model, rows = tracker(), small_model(specs), rows_of(specs)
    split = Split(rows, np.zeros(12, int), kinds={name: spec.kind for name, spec in specs.items()})
    with where.run("name", {}, {}, folder=folder / "run") as run:
        run.log_data(Splits(split, split, split, NAMES, "0" * 64, "made here"))
        run.log_model(model, specs)
    data, *_ = fetch(where, run.run_id).inputs.dataset_inputs
    shapes = {name: [12, *spec.shape] for name, spec in specs.items()}
    assert json.loads(data.dataset.profile)["features_shape"] == (shapes if len(shapes) > 1 else [12, 40])
    (output,) = fetch(where, run.run_id).outputs.model_outputs
    mlflow.set_tracking_uri(where.uri)
    served = mlflow.pyfunc.load_model(f"models:/{output.model_id}")
    taken = {spec.name: (spec.type, spec.shape) for spec in served.metadata.signature.inputs}
    wanted = {name: (values.dtype, (-1, *values.shape[1:])) for name, values in rows.items()}
    assert taken == (wanted if len(wanted) > 1 else {None: wanted["voice"]})
    answers = np.asarray(served.predict(rows if len(rows) > 1 else rows["voice"]))
    np.testing.assert_allclose(answers, keras_answers(model, rows), atol=1e-5)


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("broken"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(143), "KILLED")],
)
def test_the_status_tells_how_a_run_ended(error: BaseException, status: str) -> None:
    where = tracker()
    with pytest.raises(type(error)), where.run("name", {}, {}) as run:
        raise error
    assert fetch(where, run.run_id).info.status == status
    artifacts = [entry.path for entry in mlflow.MlflowClient(where.uri).list_artifacts(run.run_id)]
    assert artifacts == (["traceback.txt"] if status == "FAILED" else [])


def test_children_know_their_parent_and_the_parent_its_children() -> None:
    where = tracker()
    with where.parent("sweep", {"sweep": "lr"}) as parent:
        with where.run("child", {}, {"sweep.lr": "1"}) as child:
            child.log_metrics({"best_val/accuracy": 0.5})
        children = where.children(parent.run_id)
        where.log_table(parent.run_id, pd.DataFrame({"a": [1]}), "leaderboard", "a note")
    assert children[["name", "status", "best_val/accuracy"]].to_numpy().tolist() == [["child", "FINISHED", 0.5]]
    assert fetch(where, child.run_id).data.tags["mlflow.parentRunId"] == parent.run_id
    assert fetch(where, parent.run_id).data.tags["mlflow.note.content"] == "a note"
    assert PARENT_ENV not in os.environ


def test_an_interrupted_sweep_is_killed() -> None:
    where = tracker()
    with pytest.raises(KeyboardInterrupt), where.parent("sweep", {}) as parent:
        raise KeyboardInterrupt
    assert fetch(where, parent.run_id).info.status == "KILLED"


def test_a_server_that_does_not_answer_is_named() -> None:
    with pytest.raises(TrackingError, match=r"must be a server that answers within 5 seconds.*http://127.0.0.1:9"):
        tracker("http://127.0.0.1:9")


def test_a_database_in_a_folder_that_does_not_exist_is_named(folder: Path) -> None:
    with pytest.raises(TrackingError, match="must lie in an existing folder"):
        tracker(f"sqlite:///{folder / 'nowhere' / 'mlflow.db'}")


def test_a_file_that_is_no_database_is_named(folder: Path) -> None:
    (folder / "mlflow.db").write_text("no database" * 1000)
    with pytest.raises(TrackingError, match="cannot be used"):
        tracker()


def open_and_log(uri: str) -> str:
    """Without a template: the tables are made from nothing, as on a machine that has never seen a run."""
    where = MlflowTracker(uri, "fer_exp", False, 5.0, Path(uri.removeprefix("sqlite:///")).with_name("cache"))
    with where.run("writer", {"a": 1}, {}) as run:
        run.log_metrics({"x": 1.0}, 1)
    return run.run_id


def test_several_first_writers_share_a_new_database(folder: Path) -> None:
    import multiprocessing

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        ids = list(pool.map(open_and_log, [uri] * 3))
    assert len(set(ids)) == 3
    assert all(fetch(tracker(uri), run_id).info.status == "FINISHED" for run_id in ids)


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--artifacts-destination", str(folder / "kept"),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{uri}/health", timeout=1)
            break
        except OSError:
            time.sleep(0.5)
    yield uri
    os.killpg(process.pid, 15)
    process.wait(timeout=30)


def test_a_real_server_keeps_runs_and_artifacts(server: str, folder: Path) -> None:
    where = tracker(server)
    (folder / "tables").mkdir()
    (folder / "tables" / "a.csv").write_text("x\n1\n")
    with where.run("remote", {"lr": 0.1}, {}) as run:
        run.log_metrics({"val/loss": 0.5}, 1)
        run.log_folder(folder / "tables")
    assert fetch(where, run.run_id).info.status == "FINISHED"
    assert Path(mlflow.MlflowClient(server).download_artifacts(run.run_id, "tables/a.csv")).read_text() == "x\n1\n"
    assert list((folder / "kept").rglob("a.csv"))


def test_the_beginning_of_an_id_names_a_run_and_one_of_several_is_told() -> None:
    where = tracker()
    client = mlflow.MlflowClient(where.uri)
    ids = [client.create_run("0" if number else where.experiment_id).info.run_id for number in range(2)]
    for run_id in ids:
        found, attempt = where.record(run_id[:8]), where.attempt(run_id[:12])
        assert found is not None
        assert attempt is not None
        assert (found.run_id, attempt.run_id) == (run_id, run_id)
    assert where.record("0123456789") is None
    with pytest.raises(ConfigError, match="`` must be the beginning of one run's id alone. It is that of "):
        where.record("")
