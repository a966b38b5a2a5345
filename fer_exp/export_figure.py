"""The picture of what exported files cost and what they are worth: accuracy against size and against latency.

Called by `publication` for the files of a run and by `sweep_exports` for those of a sweep, with plain numbers. The
accuracy is that of the validation split, because the picture is made to choose by.
"""

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from fer_exp.figure_style import DPI, FAINT, INK, headline

# Okabe and Ito's colours stay apart with every common colour blindness. Source: https://jfly.uni-koeln.de/color/
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_COSTS = {"size_mb": "size, MB", "latency_ms_p50": "latency p50, one thread, ms"}
_MOST_NAMES = 12  # more would cover the points
_LEAST_SPAN = 0.02  # of accuracy: what lies within a point must not look like a cliff


def front(cost: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Tells which points are not beaten: no other costs as little or less and is worth more, or costs less for as much.

    Args:
        cost: float (n,).
        worth: float (n,).

    Returns:
        bool (n,).
    """
    as_good = (cost[None] <= cost[:, None]) & (worth[None] >= worth[:, None])
    better = (cost[None] < cost[:, None]) | (worth[None] > worth[:, None])
    beaten: np.ndarray = (as_good & better).any(axis=1)
    return np.logical_not(beaten)


def trade_offs(files: pd.DataFrame, title: str) -> Figure:
    """Draws accuracy against size and against latency, with a line along the files that no other beats.

    Args:
        files: One row for each file: `name`, `kind`, `val_accuracy`, `size_mb`, `latency_ms_p50`, `published` (0 or 1);
            at least one row. Where
            the names differ, those on the line are written out.
        title: First line.
    """
    figure = Figure((11.5, 5.0), DPI, layout="constrained")
    kinds = list(dict.fromkeys(files["kind"]))
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, (column, label) in zip((left, right), _COSTS.items(), strict=True):
        _draw(axes, files, kinds, column)
        axes.set_xlabel(label, fontsize=9.5, color=FAINT)
    left.set_ylabel("validation accuracy", fontsize=9.5, color=FAINT)
    low, high = left.get_ylim()
    if high - low < _LEAST_SPAN:
        center = (low + high) / 2
        left.set_ylim(center - _LEAST_SPAN / 2, center + _LEAST_SPAN / 2)
    left.legend(frameon=False, fontsize=9, labelcolor=INK, loc="best")
    held = int((files["published"] == 0).sum())
    notes = f"{len(files)} files; line: those that no other published file beats"
    headline(figure, title, notes + (f"; {held} withheld (hollow)" if held else ""))
    return figure


def _draw(axes: Axes, files: pd.DataFrame, kinds: list[str], column: str) -> None:
    published = files[files["published"] != 0]
    best = published[front(published[column].to_numpy(), published["val_accuracy"].to_numpy())].sort_values(column)
    axes.plot(best[column], best["val_accuracy"], color=FAINT, linewidth=1.2, zorder=1, drawstyle="steps-post")
    for kind, color, marker in zip(kinds, _COLORS, _MARKERS, strict=False):
        for held, part in files[files["kind"] == kind].groupby(files["published"] == 0):
            style: dict[str, Any] = {"facecolors": "none"} if held else {"facecolors": color}
            label = kind if not held or published[published["kind"] == kind].empty else None
            axes.scatter(part[column], part["val_accuracy"], 46, edgecolors=color, marker=marker, label=label, **style)
    names = best.iloc[:_MOST_NAMES] if files["name"].nunique() > 1 else best.iloc[:0]
    for x, y, name in zip(names[column], names["val_accuracy"], names["name"], strict=True):
        short = textwrap.shorten(name, 40, placeholder="…")
        axes.annotate(
            short, (x, y), xytext=(5, -11), textcoords="offset points", fontsize=7.5, color=INK, parse_math=False
        )
    if files[column].max() > 10 * files[column].min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, 1.12 * files[column].max())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.tick_params(labelsize=9, labelcolor=INK, color=FAINT)
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
