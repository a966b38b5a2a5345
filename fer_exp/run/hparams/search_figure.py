"""The pictures of a search: how the best value came about, and which keys mattered.

Called by `search_report` with plain numbers. It must not know Optuna. Figures are built without pyplot, whose global
state would outlive them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_DPI = 120
_INK, _FAINT = "#222222", "#9a9a9a"
_BLUE, _ORANGE = "#0072b2", "#d55e00"  # Okabe and Ito's, as in `figure`


@dataclass(frozen=True)
class Point:
    """A trial that has a value.

    Attributes:
        number: Of the trial.
        value: Its metric; of a pruned trial at the epoch it was stopped after.
        pruned: Whether it was stopped early.
    """

    number: int
    value: float
    pruned: bool


def optimization_history(points: Sequence[Point], metric: str, maximize: bool) -> Figure:
    """Draws the value of each trial, and the best one of the completed trials so far as a line.

    Args:
        points: In the order of their numbers.
        metric: Name of the value.
        maximize: Whether large values are good.
    """
    figure = Figure((7.2, 4.2), _DPI, layout="constrained")
    axes = figure.add_subplot()
    done = [point for point in points if not point.pruned]
    better = max if maximize else min
    best = [better(p.value for p in done[: index + 1]) for index in range(len(done))]
    axes.step([p.number for p in done], best, where="post", color=_ORANGE, linewidth=1.5, label="best so far")
    axes.plot([p.number for p in done], [p.value for p in done], "o", color=_BLUE, label="completed")
    pruned = [point for point in points if point.pruned]
    if pruned:
        axes.plot([p.number for p in pruned], [p.value for p in pruned], "x", color=_FAINT, label="pruned")
    axes.set_xlabel("trial")
    axes.set_ylabel(metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(f"{len(done)} completed, {len(pruned)} pruned trials", loc="left", color=_INK)
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)
    return figure


def param_importances(importances: Mapping[str, float], metric: str) -> Figure:
    """Draws a bar for each searched key: its share of what separates the best trials from the others.

    Args:
        importances: Share of each key, 0-1, the largest first.
        metric: Name of the value.
    """
    figure = Figure((7.2, 1.2 + 0.42 * len(importances)), _DPI, layout="constrained")
    axes = figure.add_subplot()
    names, shares = list(importances)[::-1], list(importances.values())[::-1]
    bars = axes.barh(names, shares, color=_BLUE)
    axes.bar_label(bars, [f"{share:.2f}" for share in shares], padding=4, color=_INK)
    axes.set_xlim(0, max(shares) * 1.15)
    axes.set_title(f"Importance for {metric}", loc="left", color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
