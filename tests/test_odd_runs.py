"""Runs that end well although something is odd: names that no server takes, a training that leads nowhere."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CommandLine
from PIL import Image
from tiny_runs import runs_of

pytestmark = pytest.mark.whole

ODD = ("happy (smile)!", "happy (smile)?", "[red]", "$x_{1$", "_hidden", "50 % sure", "a..b", "x" * 200)
SMALL = (
    "model.widths=[4,4]",
    "model.head_units=8",
    "batch_size=16",
    "export.kinds=[float32]",
    "export.max_accuracy_drop=null",
    "export.latency_calls=1",
    "tracking.system_metrics=false",
)


def folder_of(only: Path) -> Path:
    (found,) = only.glob("outputs/*/*")
    return found


def test_a_run_with_classes_of_any_name_leaves_everything(command_line: CommandLine, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for value, name in enumerate(ODD):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for number in range(12):
            pixels = np.clip(random.normal(30 * value, 9, (24, 24)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "faces" / name / f"{number}.png")
    data = ("dataset=image_folder", "dataset.path=faces", "dataset.val=0.25", "dataset.test=0.25")
    done = command_line(*data, "dataset.image_size=24", "epochs=1", *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'happy (smile)!' 'happy _smile__'" in done.stderr, done.stderr
    (run,) = runs_of(tmp_path)
    assert run.info.status == "FINISHED"
    assert "refused_records" not in run.data.tags
    table = pd.read_csv(
        folder_of(tmp_path) / "tables" / "classification_report.csv", index_col=0, keep_default_na=False
    )
    assert set(ODD) < set(table.index)
    for name in ODD:
        recall = run.data.metrics[f"test/recall/{table.loc[name, 'metric_name']}"]
        assert recall == pytest.approx(float(table.loc[name, "recall"]))
        assert f"test/f1/{table.loc[name, 'metric_name']}" in run.data.metrics
    assert {path.name for path in folder_of(tmp_path).iterdir()} > {"report.html", "tflite", "figures", "tables"}
    assert not (folder_of(tmp_path) / "outbox").exists()
    assert "happy (smile)!" in (folder_of(tmp_path) / "report.html").read_text()


def test_a_training_that_diverges_finishes_and_says_so_everywhere(command_line: CommandLine, tmp_path: Path) -> None:
    data = ("dataset.train_size=64", "dataset.val_size=35", "dataset.test_size=35", "dataset.image_size=24")
    done = command_line(*data, "lr=1e6", "schedule=constant", "model.batch_norm=true", "epochs=2", *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = runs_of(tmp_path)
    assert run.info.status == "FINISHED"
    assert "the training seems to diverge. Try a smaller lr" in done.stderr
    assert "WARNING" in done.stdout
    assert run.data.tags["warning"].startswith("diverged: The training has diverged: ")
    assert run.data.tags["mlflow.note.content"].startswith("**Warning.** The training has diverged: ")
    assert "The training has diverged" in (folder_of(tmp_path) / "report.html").read_text()
