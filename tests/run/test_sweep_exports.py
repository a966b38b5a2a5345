"""The files of all children of a sweep come together in one table and one picture."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest
from contracts import node

from fer_exp.options import config
from fer_exp.run import sweep, sweep_exports
from fer_exp.tracking import Tracker

CHILDREN = pd.DataFrame(
    {
        "run_id": ["a", "b", "c", "d"],
        "name": ["first", "second", "third", "fourth"],
        "status": ["FINISHED", "FINISHED", "FAILED", "FINISHED"],
        "sweep.seed": ["0", "1", "2", "3"],
        "tflite/float32/val_accuracy": [0.6, 0.7, 0.9, None],
        "tflite/float32/size_mb": [4.0, 4.0, 4.0, 4.0],
        "tflite/float32/latency_ms_p50": [1.0, 1.1, 1.0, 1.0],
        "tflite/float32/published": [1.0, 1.0, 1.0, 1.0],
        "tflite/int8/val_accuracy": [0.65, None, None, None],
        "tflite/int8/size_mb": [1.0, None, None, None],
        "tflite/int8/latency_ms_p50": [0.4, None, None, None],
        "tflite/int8/published": [0.0, None, None, None],
    }
)


class Recorder:
    """A tracker that keeps the folders it is given."""

    def __init__(self, target: Path) -> None:
        self.target, self.calls = target, 0

    def add_folder(self, run_id: str, folder: Path, name: str) -> None:
        self.calls += 1
        (self.target / run_id / name).mkdir(parents=True)
        for file in folder.iterdir():
            (self.target / run_id / name / file.name).write_bytes(file.read_bytes())


def test_every_file_of_the_finished_children_is_a_row_the_most_accurate_first() -> None:
    found = sweep_exports.files(CHILDREN)
    assert found[["run_id", "name", "kind", "val_accuracy", "published"]].to_numpy().tolist() == [
        ["b", "seed=1", "float32", 0.7, 1.0],
        ["a", "seed=0", "int8", 0.65, 0.0],
        ["a", "seed=0", "float32", 0.6, 1.0],
    ]


def test_children_of_a_search_are_told_apart_by_their_names() -> None:
    assert sweep_exports.files(CHILDREN.drop(columns="sweep.seed"))["name"].tolist()[0] == "second"


def test_table_and_picture_are_recorded_on_the_parent(tmp_path: Path) -> None:
    sweep_exports.record(Recorder(tmp_path), "parent", CHILDREN)  # type: ignore[arg-type]
    folder = tmp_path / "parent" / "exports"
    assert sorted(file.name for file in folder.iterdir()) == ["exports.csv", "exports.png"]
    assert pd.read_csv(folder / "exports.csv")["run_id"].tolist() == ["b", "a", "a"]


@pytest.mark.parametrize("columns", [["run_id", "name", "status"], ["run_id", "name", "status", "tflite/int8/size_mb"]])
def test_where_nothing_was_exported_or_less_was_measured_nothing_is_recorded(
    columns: list[str], tmp_path: Path
) -> None:
    recorder = Recorder(tmp_path)
    sweep_exports.record(recorder, "parent", CHILDREN[columns])  # type: ignore[arg-type]
    assert recorder.calls == 0


def test_a_sweep_that_ends_has_them_among_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracker: Tracker = config.build(node("tracking", "mlflow", uri=uri, system_metrics=False))
    tags = {"sweep": "seed", "monitor": "val/accuracy"}
    with tracker.parent("sweep seed", tags, at_end=lambda run_id: sweep.finish(tracker, run_id)) as parent:
        for seed, accuracy in ((0, 0.6), (1, 0.7)):
            with tracker.run(f"seed={seed}", {}, {"sweep.seed": seed}) as child:
                numbers = {"val_accuracy": accuracy, "size_mb": 1.0, "latency_ms_p50": 0.5, "published": 1.0}
                child.log_metrics({f"tflite/int8/{name}": value for name, value in numbers.items()})
    client = mlflow.MlflowClient(uri)
    assert {entry.path for entry in client.list_artifacts(parent.run_id, "exports")} == {
        "exports/exports.csv",
        "exports/exports.png",
    }
    table = pd.read_csv(client.download_artifacts(parent.run_id, "exports/exports.csv", str(tmp_path)))
    assert table["name"].tolist() == ["seed=1", "seed=0"]
