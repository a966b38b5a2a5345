"""The files of a run: pictures that open, tables that agree with each other."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fer_exp.assessment import metrics
from fer_exp.dataset import Split
from fer_exp.reporting import report

NAMES = ("angry", "happy", "sad")
LABELS = np.array([0, 0, 1, 1, 2, 2])
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), np.uint8)


def test_an_evaluation_leaves_pictures_and_tables(tmp_path: Path) -> None:
    evaluation = metrics.evaluate(0.1 + 0.7 * np.eye(3)[[0, 1, 1, 1, 2, 0]], LABELS, NAMES)
    report.write_evaluation(tmp_path, evaluation, Split.of_images(IMAGES, LABELS))
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "confusion_matrix_counts.png",
        "confusion_matrix_normalized.png",
        "confidently_wrong.png",
    }
    for path in (tmp_path / "figures").iterdir():
        with Image.open(path) as picture:
            picture.verify()
    confusion = pd.read_csv(tmp_path / "tables" / "confusion_matrix.csv", index_col=0)
    assert confusion.to_numpy().tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]
    pairs = pd.read_csv(tmp_path / "tables" / "most_confused_pairs.csv")
    assert pairs[["true", "predicted"]].to_numpy().tolist() == [["angry", "happy"], ["sad", "angry"]]
    assert "angry is taken for happy in 1 of its 2" in (tmp_path / "tables" / "most_confused_pairs.txt").read_text()


def test_the_history_is_drawn_and_kept(tmp_path: Path) -> None:
    history = pd.DataFrame({"epoch": [1, 2], "train/loss": [2.0, 1.0], "val/loss": [2.0, 1.5], "lr": [0.1, 0.1]})
    report.write_history(tmp_path, history, [2], 2)
    report.write_samples(tmp_path, IMAGES, LABELS, NAMES)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "tables" / "history.csv"), history)
    assert (tmp_path / "figures" / "training_curves.png").is_file()
    assert (tmp_path / "figures" / "training_samples.png").is_file()


def test_sources_have_a_table_with_a_line_for_each(tmp_path: Path) -> None:
    evaluation = metrics.evaluate(0.1 + 0.7 * np.eye(3)[[0, 1, 1, 1, 2, 0]], LABELS, NAMES)
    report.write_sources(tmp_path, metrics.of_sources(evaluation, np.array([0, 0, 0, 1, 1, 1]), ("x", "y")))
    table = pd.read_csv(tmp_path / "tables" / "per_source.csv")
    assert table[["source", "images", "accuracy"]].to_numpy().tolist() == [["x", 3, 2 / 3], ["y", 3, 2 / 3]]
    assert (table["accuracy_low"] < 2 / 3).all()
    assert (table["macro_f1_high"] >= table["macro_f1"]).all()
