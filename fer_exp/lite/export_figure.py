"""The picture of what exported files cost and what they are worth: accuracy against size and against latency.

Called by `publication` for the files of a run and by `sweep_exports` for those of a sweep, with plain numbers. The
accuracy is that of the validation split, because the picture is made to choose by.
"""

import textwrap
from typing import Any, get_args

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from fer_exp.export import Kind
from fer_exp.reporting.figure_style import DPI, FAINT, INK, headline

# Okabe and Ito's colours stay apart with every common colour blindness. Source: https://jfly.uni-koeln.de/color/
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_COSTS = {"size_mb": "size, MB", "latency_ms_p50": "latency p50, one thread, ms"}
_MOST_NAMES = 12  # files listed below a panel
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
    return ~np.asarray((as_good & better).any(axis=1))


def trade_offs(files: pd.DataFrame, title: str) -> Figure:
    """Draws accuracy against size and against latency, with a line along the files that no other beats.

    Args:
        files: One row for each file: `name`, `kind`, `val_accuracy`, `size_mb`, `latency_ms_p50`, `published` (0 or 1);
            at least one row. Where
            the names differ, those on the line are numbered and listed below.
        title: First line.
    """
    fronts = {cost: _best(files, cost) for cost in _COSTS}
    listed = max(map(len, fronts.values())) if files["name"].nunique() > 1 else 0
    figure = Figure((11.5, 5.0 + 0.16 * min(listed, _MOST_NAMES)), DPI, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, (cost, label) in zip((left, right), _COSTS.items(), strict=True):
        _draw(axes, files, fronts[cost], cost)
        lines = [label, *(_names(axes, fronts[cost], cost) if listed else [])]
        axes.set_xlabel("\n".join(lines), fontsize=9, color=INK, loc="left", parse_math=False)
    left.set_ylabel("validation accuracy", fontsize=9, color=INK)
    low, high = left.get_ylim()
    if high - low < _LEAST_SPAN:
        center = (low + high) / 2
        left.set_ylim(center - _LEAST_SPAN / 2, center + _LEAST_SPAN / 2)
    left.legend(frameon=False, fontsize=9, labelcolor=INK, loc="best")
    held = int((files["published"] == 0).sum())
    notes = f"{len(files)} files; line: those that no other published file beats"
    headline(figure, title, notes + (f"; {held} withheld (hollow)" if held else ""))
    return figure


def _best(files: pd.DataFrame, cost: str) -> pd.DataFrame:
    """Returns the published files that no other beats, the cheapest first."""
    published = files[files["published"] != 0]
    kept = front(published[cost].to_numpy(), published["val_accuracy"].to_numpy())
    return published[kept].sort_values([cost, "val_accuracy"])


def _names(axes: Axes, best: pd.DataFrame, cost: str) -> list[str]:
    """Numbers the files on the line and returns what the numbers stand for; names themselves would cover points."""
    lines = []
    for number, (_, file) in enumerate(best.iloc[:_MOST_NAMES].iterrows(), start=1):
        place = (file[cost], file["val_accuracy"])
        axes.annotate(str(number), place, xytext=(-4, 6), textcoords="offset points", fontsize=8.5, color=INK)
        lines.append(f"{number}  {textwrap.shorten(file['name'], 70, placeholder='…')}, {file['kind']}")
    return lines + ([f"and {len(best) - _MOST_NAMES} more"] if len(best) > _MOST_NAMES else [])


def _draw(axes: Axes, files: pd.DataFrame, best: pd.DataFrame, column: str) -> None:
    axes.plot(best[column], best["val_accuracy"], color=FAINT, linewidth=1.2, zorder=1, drawstyle="steps-post")
    known = dict.fromkeys([*get_args(Kind), *files["kind"]])  # a kind has its colour in every picture
    for kind, color, marker in zip(known, _COLORS, _MARKERS, strict=False):
        parts = files[files["kind"] == kind].groupby(files["published"] == 0)
        for (held, part), label in zip(parts, (kind, None), strict=False):
            style: dict[str, Any] = {"facecolors": "none"} if held else {"facecolors": color}
            axes.scatter(part[column], part["val_accuracy"], 46, edgecolors=color, marker=marker, label=label, **style)
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
