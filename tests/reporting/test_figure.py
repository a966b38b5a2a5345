"""Pictures show every label and number they promise, also in the corner cases."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from fer_exp.assessment import metrics
from fer_exp.reporting import figure, figure_style

NAMES = ("angry", "happy", "sad")
LABELS = np.array([0, 0, 0, 1, 1, 2, 2, 2])
PREDICTED = np.array([0, 0, 2, 1, 1, 2, 0, 0])


def evaluation(predicted: np.ndarray = PREDICTED) -> metrics.Evaluation:
    return metrics.evaluate(0.1 + 0.7 * np.eye(3)[predicted], LABELS, NAMES)


def texts(picture: Figure) -> list[str]:
    picture.canvas.draw()
    return [text.get_text() for text in picture.findobj(Text) if text.get_text() and text.get_visible()]


def test_the_confusion_matrix_shows_counts() -> None:
    shown = " ".join(texts(figure.confusion_matrix(evaluation(), False, "Counts")))
    for text in ("Counts", *NAMES, "2"):
        assert text in shown


def test_the_normalised_matrix_shows_percentages() -> None:
    shown = " ".join(texts(figure.confusion_matrix(evaluation(), True, "Shares")))
    assert "67" in shown  # two of three
    assert "100" in shown


def test_training_curves_show_every_metric_and_the_kept_epoch() -> None:
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "train/loss": [2.0, 1.5, 1.2],
            "val/loss": [1.9, 1.6, 1.7],
            "train/accuracy": [0.2, 0.4, 0.5],
            "val/accuracy": [0.25, 0.45, 0.4],
            "val/macro_f1": [0.2, 0.4, 0.35],
            "lr": [1e-3, 1e-3, 1e-4],
        }
    )
    shown = " ".join(texts(figure.training_curves(history, [3], 2)))
    assert "45.0 %" in shown
    assert len(figure.training_curves(history, [3], 2).axes) >= 4


def test_one_epoch_is_enough_for_curves() -> None:
    history = pd.DataFrame({"epoch": [1], "train/loss": [2.0], "val/loss": [1.9], "lr": [1e-3]})
    assert texts(figure.training_curves(history, [], 1))


def test_a_history_without_metrics_is_refused() -> None:
    with pytest.raises(ValueError, match="epoch"):
        figure.training_curves(pd.DataFrame({"loss": [1.0]}))


def test_a_picture_is_written_whole(tmp_path: Path) -> None:
    figure_style.save(figure.confusion_matrix(evaluation(), True, "Shares"), tmp_path / "matrix.png")
    with Image.open(tmp_path / "matrix.png") as picture:
        picture.verify()
    assert [path.name for path in tmp_path.iterdir()] == ["matrix.png"]
