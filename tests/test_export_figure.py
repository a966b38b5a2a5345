"""The picture shows which files no other beats, and hollow ones that are not published."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fer_exp.export_figure import front, trade_offs
from fer_exp.figure_style import save

FILES = pd.DataFrame(
    {
        "name": ["seed=0", "seed=0", "seed=1", "seed=1", "seed=1"],
        "kind": ["float32", "int8", "float32", "int8", "dynamic"],
        "val_accuracy": [0.70, 0.69, 0.71, 0.60, 0.705],
        "size_mb": [4.0, 1.0, 4.1, 0.9, 1.2],
        "latency_ms_p50": [1.0, 0.3, 1.1, 0.29, 5.0],
        "published": [1.0, 1.0, 1.0, 0.0, 1.0],
    }
)


def test_the_front_is_what_no_other_beats() -> None:
    cost, worth = np.array([1.0, 2.0, 2.0, 3.0, 1.0]), np.array([0.5, 0.7, 0.6, 0.7, 0.5])
    assert front(cost, worth).tolist() == [True, True, False, False, True]


def lines_and_names(figure: object, panel: int) -> tuple[list[float], list[str]]:
    axes = figure.axes[panel]  # type: ignore[attr-defined]
    return axes.lines[0].get_xdata().tolist(), [text.get_text() for text in axes.texts]


def test_the_line_runs_along_the_published_front_of_each_cost() -> None:
    figure = trade_offs(FILES, "Files")
    assert lines_and_names(figure, 0) == ([1.0, 1.2, 4.1], ["seed=0", "seed=1", "seed=1"])
    assert lines_and_names(figure, 1) == ([0.3, 1.0, 1.1], ["seed=0", "seed=0", "seed=1"])
    assert figure.axes[1].get_xscale() == "log"  # 0.29 to 5 is more than a decade
    assert figure.axes[0].get_xscale() == "linear"
    assert "1 withheld (hollow)" in figure.texts[1].get_text()


def test_differences_within_a_point_do_not_fill_the_picture() -> None:
    figure = trade_offs(FILES.assign(val_accuracy=0.7, published=1.0), "Files")
    low, high = figure.axes[0].get_ylim()
    assert high - low >= 0.02


def test_one_file_that_is_withheld_can_be_drawn(tmp_path: Path) -> None:
    save(trade_offs(FILES.iloc[[3]], "Files"), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 300
