"""The scripts do what their first lines say."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from conftest import ROOT
from contracts import node
from PIL import Image

from fer_exp import config


def script(name: str, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "scripts" / name), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_results_table_shows_each_finished_run_with_its_command(tmp_path: Path) -> None:
    tracker = config.build(node("tracking", "mlflow", uri=f"sqlite:///{tmp_path / 'mlflow.db'}", system_metrics=False))
    with tracker.run("one", {}, {"overrides": "lr=1e-4", "parameters": 1234}) as run:
        run.log_metrics(
            {f"test/{name}{end}": 0.5 for name in ("accuracy", "macro_f1") for end in ("", "_low", "_high")}
        )
        run.log_metrics({"tflite/float32/size_mb": 2.0})
    with tracker.run("unfinished", {}, {"overrides": "lr=1"}):
        pass
    done = script("results_table.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "lr=" in line]
    assert line.startswith("| `lr=1e-4` | 1,234 | 0 | 50.0 % (50.0-50.0) | 50.0 % (50.0-50.0) | 2.00 / - |")


def test_an_experiment_that_does_not_exist_is_named(tmp_path: Path) -> None:
    done = script("results_table.py", "--experiment", "nope", cwd=tmp_path)
    assert done.returncode == 2
    assert "Received: nope." in done.stderr


def test_the_readme_picture_is_two_pictures_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name, width in (("training_samples", 640), ("confusion_matrix_normalized", 1280)):
        Image.fromarray(np.zeros((640, width, 3), np.uint8)).save(tmp_path / "figures" / f"{name}.png")
    done = script("readme_picture.py", str(tmp_path), str(tmp_path / "out.png"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (1920, 640)
    assert script("readme_picture.py", str(tmp_path / "no"), "out.png", cwd=tmp_path).returncode == 2
