"""The picture of a comparison: what each configuration confuses more, and what less, than the baseline.

Called by `compare` with confusion matrices that are already averaged. It must not know runs or how they were grouped.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fer_exp.reporting.abridged import MOST_CLASSES, every_nth, short
from fer_exp.reporting.figure_style import DPI, FAINT, INK, headline, headline_height, readable_on

_FAINTEST = 0.05  # full colour stands for 5 percentage points at least, so that noise does not shout
_CELL_TITLE_LETTERS = 6.4  # fit above a cell
_MANY = 4.5  # inches of a panel of many classes
_MOST_NAMED, _MOST_PANELS = 40, 12


def confusion_differences(
    panels: Sequence[tuple[str, np.ndarray]], class_names: Sequence[str], baseline: str
) -> Figure:
    """Draws one panel for each configuration: blue cells got better than with the baseline, orange ones worse.

    Better is more on the diagonal and less beside it.

    Args:
        panels: Title, and float (classes, classes): share of each true class's images (rows) that is predicted as each
            class (columns), minus the same share with the baseline; NaN in the rows of classes without images.
        class_names: Name of each class, in label order. Of more classes than have room for print there are colours
            alone, and of many panels the first.
        baseline: Name of the baseline.

    Raises:
        ValueError: If there is no panel, or one of another shape.
    """
    classes = len(class_names)
    if not panels or any(values.shape != (classes, classes) for _, values in panels):
        raise ValueError(
            f"`panels` must hold at least one matrix of shape ({classes}, {classes}). "
            f"Received: {[values.shape for _, values in panels]}."
        )
    left_out, panels = max(len(panels) - _MOST_PANELS, 0), panels[:_MOST_PANELS]
    largest = max(float(np.nanmax(np.abs(values), initial=0.0)) for _, values in panels)
    full = max(largest, _FAINTEST)
    across = min(len(panels), 3)
    down = math.ceil(len(panels) / across)
    side = _side(classes)
    class_names = [short(name) for name in class_names]
    longest = 0.075 * max(map(len, class_names))
    # Beside the cells: names of the rows, gaps; above them: a title of two lines, slanted names of the columns.
    width = across * (side * classes + 0.25) + longest + 0.3
    height = down * (side * classes + 0.72 * longest + 0.65) + headline_height("\n\n\n") + 0.1
    figure = Figure((max(width, 6.4), height), DPI, layout=ConstrainedLayoutEngine(h_pad=0.1))
    grid = figure.subplots(down, across, squeeze=False)
    for position, axes in enumerate(grid.flat):
        if position < len(panels):
            title, values = panels[position]
            wrapped = _wrapped(title, int(_CELL_TITLE_LETTERS * classes * side / 0.58))
            _draw(axes, wrapped, values, class_names, full, position % across == 0)
        else:
            axes.set_axis_off()
    subtitle = (
        f"against {_cut(baseline, 80)}\n"
        "percentage points of each true class (row) by predicted class (column)\n"
        f"blue: better, orange: worse; full colour at {100 * full:.1f} points"
    ) + (f"; {left_out} more configurations are not drawn" if left_out else "")
    headline(figure, "Differences of the confusion matrices", f"{subtitle}\n")  # a line of air below
    return figure


def _draw(
    axes: Axes, title: str, values: np.ndarray, class_names: Sequence[str], full: float, first_of_row: bool
) -> None:
    classes = len(class_names)
    printed, colors = classes <= MOST_CLASSES, _colors(values, full)
    axes.imshow(colors.astype(np.float32), interpolation="nearest" if printed else "antialiased")
    named = every_nth(classes, MOST_CLASSES if printed else _MOST_NAMED)
    called = [class_names[index] for index in named]
    slant: dict[str, Any] = {"rotation": 45 if printed else 90, "ha": "left", "rotation_mode": "anchor"}
    axes.set_xticks(named, called, **slant, parse_math=False)
    axes.set_yticks(named, called if first_of_row else [""] * len(called), parse_math=False)
    size = 8.5 if printed else 6.5
    axes.tick_params(length=0, labelsize=size, labelcolor=INK, top=True, labeltop=True, labelbottom=False)
    axes.set_title(title, loc="left", fontsize=10, color=INK, parse_math=False)  # `$` is no formula
    axes.spines[:].set_visible(False)
    if printed:
        _print(axes, values, colors)


def _print(axes: Axes, values: np.ndarray, colors: np.ndarray) -> None:
    """Writes each change into its cell, and draws lines between the cells."""
    classes = len(values)
    for row, column in np.ndindex(classes, classes):
        written = _points(float(values[row, column]))
        ink = FAINT if written in ("0", "–") else readable_on(colors[row, column])
        weight = "bold" if row == column and written not in ("0", "–") else "normal"
        axes.text(column, row, written, ha="center", va="center", fontsize=8.5, color=ink, fontweight=weight)
    edges = np.arange(classes + 1) - 0.5
    axes.hlines(edges, -0.5, classes - 0.5, color="white", linewidth=1.5)
    axes.vlines(edges, -0.5, classes - 0.5, color="white", linewidth=1.5)


def _side(classes: int) -> float:
    """Returns the side of a cell in inches: a panel of many classes is as large as one of a few."""
    return (0.58 if classes > 4 else 0.8) if classes <= MOST_CLASSES else _MANY / classes


def _colors(values: np.ndarray, full: float) -> np.ndarray:
    """Returns RGB (classes, classes, 3): blue for more on the diagonal and less beside it, orange for the opposite."""
    better = np.where(np.eye(len(values), dtype=bool), values, -values) / full
    strength = np.nan_to_num(np.abs(better))[..., None]
    colors = np.where(
        better[..., None] > 0,
        colormaps["Blues"](0.85 * strength[..., 0]),
        colormaps["Oranges"](0.75 * strength[..., 0]),
    )[..., :3]
    colors[np.abs(np.nan_to_num(values)) < 0.0005] = 0.975  # what is written as 0
    colors[np.isnan(values)] = 0.93
    return colors


def _points(value: float) -> str:
    """Returns a share as percentage points with a sign; nothing happened is 0, nothing to tell is a dash."""
    if np.isnan(value):
        return "–"
    points = f"{100 * value:+.1f}"
    return "0" if float(points) == 0 else points.replace("-", "−")


def _wrapped(text: str, letters: int) -> str:
    """Returns a text on at most two lines."""
    lines = textwrap.wrap(text, letters, break_on_hyphens=False)
    return "\n".join(lines if len(lines) <= 2 else [lines[0], _cut(" ".join(lines[1:]), letters)])


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
