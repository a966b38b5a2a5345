"""The commands beside the main one: what is certainly not there is told before TensorFlow is imported."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import environment_for
from contracts import node

from fer_exp.errors import ConfigError, StorageError
from fer_exp.options import config
from fer_exp.record import store

UNKNOWN = "0123456789abcdef" * 2
# Ends the process where TensorFlow is about to be imported, and says so.
WITHOUT_TENSORFLOW = """
import importlib, os, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in ("tensorflow", "keras"):
            print("refused:", name, file=sys.stderr, flush=True)
            os._exit(9)
sys.meta_path.insert(0, Refuse())
importlib.import_module(sys.argv.pop(1)).main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database without runs, a csv that is none of FER2013, and a file that is called a picture."""
    made = tmp_path_factory.mktemp("runs")
    config.build(node("tracking", "mlflow", uri=f"sqlite:///{made / 'mlflow.db'}"))
    (made / "bad.csv").write_text("a,b\n1,2\n")
    (made / "face.png").touch()
    return made


def without_tensorflow(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, *words],
        cwd=folder, env=environment_for(), capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ["fer_exp.__main__", f"reproduce={UNKNOWN}"],
        ["fer_exp.__main__", f"resume={UNKNOWN}"],
        ["fer_exp.__main__", "pruning=channels", "pruning.ratio=0.5", f"pruning.run={UNKNOWN}"],
        ["fer_exp.__main__", "-m", "seed=0,1", "distillation=teacher", f"distillation.run=[{UNKNOWN}]"],
        ["fer_exp.compare.__main__", UNKNOWN],
        ["fer_exp.predict.__main__", UNKNOWN, "face.png"],
        ["fer_exp.evaluate.__main__", UNKNOWN],
        ["fer_exp.compress.__main__", UNKNOWN],
    ],
    ids=lambda words: " ".join(words)[:60],
)
def test_a_run_that_is_not_there_is_told_before_tensorflow_is_imported(words: list[str], folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    done = without_tensorflow(folder, *words)
    assert done.returncode == 2, done.stderr
    assert UNKNOWN in done.stderr
    assert "must be a run in sqlite:///" in done.stderr
    assert [path for path in sorted(folder.rglob("*")) if path not in before and path.suffix != ".lock"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no.tflite", "dataset=fer2013", "dataset.path=bad.csv"], "bad.csv has no column emotion"),
        (["no.tflite", "dataset.train_size=70", "tracking.uri=http://127.0.0.1:9"], "must be a server that answers"),
        ([UNKNOWN, "tracking.uri=127.0.0.1:9"], "for example http://127.0.0.1:9."),
    ],
)
def test_an_evaluation_looks_at_its_data_and_its_server_first(words: list[str], said: str, folder: Path) -> None:
    done = without_tensorflow(folder, "fer_exp.evaluate.__main__", *words)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr


@pytest.mark.parametrize("module", ["fer_exp.compare.__main__", "fer_exp.evaluate.__main__"])
def test_a_file_in_the_place_of_the_outputs_is_told_before_anything_is_computed(module: str, tmp_path: Path) -> None:
    (tmp_path / "outputs").touch()
    done = without_tensorflow(tmp_path, module, UNKNOWN)
    assert done.returncode == 4
    assert done.stderr == (
        "error: `outputs` in the working directory must be a folder that can be written: "
        f"{tmp_path / 'outputs'} is no folder.\n"
    )


def test_a_folder_of_outputs_is_named_and_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert store.outputs("compare").parent == tmp_path / "outputs"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "outputs").touch()
    with pytest.raises(StorageError):
        store.outputs("compare")


def test_each_run_that_is_missing_is_named_by_its_key(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        store.require_runs(
            node("tracking", "mlflow", uri=f"sqlite:///{folder / 'mlflow.db'}"),
            [("pruning.run", UNKNOWN), ("resume", UNKNOWN[::-1])],
        )
    assert [problem.split("`")[1] for problem in caught.value.problems] == ["pruning.run", "resume"]


def test_where_there_is_no_database_no_run_is_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        store.require_runs(node("tracking", "mlflow", uri=f"sqlite:///{tmp_path / 'm.db'}"), [("resume", UNKNOWN)])
    assert list(tmp_path.iterdir()) == []
