"""The picture shows which files no other beats, and hollow ones that are not published."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from fer_exp.lite.export_figure import front, trade_offs
from fer_exp.reporting.figure_style import save

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


def line_and_names(figure: Figure, panel: int) -> tuple[list[float], list[str]]:
    axes = figure.axes[panel]
    return axes.lines[0].get_xdata().tolist(), axes.get_xlabel().splitlines()[1:]


def test_the_line_runs_along_the_published_front_of_each_cost_and_says_who_is_on_it() -> None:
    figure = trade_offs(FILES, "Files")
    by_size = ["1  seed=0, int8", "2  seed=1, dynamic", "3  seed=1, float32"]
    assert line_and_names(figure, 0) == ([1.0, 1.2, 4.1], by_size)
    by_latency = ["1  seed=0, int8", "2  seed=0, float32", "3  seed=1, float32"]
    assert line_and_names(figure, 1) == ([0.3, 1.0, 1.1], by_latency)
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "2", "3"]
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


def test_files_of_one_run_are_told_apart_by_colour_alone() -> None:
    assert line_and_names(trade_offs(FILES.assign(name=""), "Files"), 0)[1] == []


def test_a_long_front_is_listed_in_part() -> None:
    steps = np.arange(15)
    many = pd.DataFrame(
        {
            "name": [f"seed={n}" for n in steps],
            "kind": "a kind of another version",
            "val_accuracy": 0.5 + steps / 100,
            "size_mb": 1.0 + steps,
            "latency_ms_p50": 1.0 + steps,
            "published": 1.0,
        }
    )
    names = line_and_names(trade_offs(many, "Files"), 0)[1]
    assert (len(names), names[-1]) == (13, "and 3 more")
