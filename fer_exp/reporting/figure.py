"""The pictures of a run's numbers: confusion matrix, training curves.

Called by `report` and scripts with results that are already computed; each function returns a matplotlib
`Figure`. It must not know models, tracking or where files belong.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fer_exp.assessment.metrics import Evaluation
from fer_exp.fit.epoch_metrics import EPOCH_METRICS
from fer_exp.reporting.abridged import MOST_CLASSES, every_nth, short
from fer_exp.reporting.figure_style import DPI, FAINT, INK, headline, readable_on

# Okabe and Ito's colours stay apart with every common colour blindness. Source: https://jfly.uni-koeln.de/color/
_COLORS = {"train": "#0072b2", "val": "#d55e00", "test": "#009e73"}
_METRIC_TITLES = {"lr": "learning rate"} | {metric.name: metric.title for metric in EPOCH_METRICS}
_OVERVIEW = 9.0  # inches, of many classes
_MOST_NAMED = 60  # of many classes
_SHARP = 500  # classes: with more of them a cell is smaller than a pixel
_PERCENT_METRICS = ("balanced_accuracy", *(metric.name for metric in EPOCH_METRICS))


def confusion_matrix(evaluation: Evaluation, normalize: bool, title: str) -> Figure:
    """Draws the confusion matrix: blue cells are right, orange ones wrong, recall and precision at the sides.

    Args:
        evaluation: What to draw. Of more classes than have room for print there are colours alone.
        normalize: Whether colour and large print show the share of the true class's images, with the count below,
            instead of the count alone.
        title: First line; the scores and their intervals follow below it.
    """
    classes, counts, support = len(evaluation.class_names), evaluation.confusion, evaluation.support
    shares = counts / np.maximum(support, 1)[:, None]
    colors = _cell_colors(shares if normalize else counts / counts.max(), support)
    if classes > MOST_CLASSES:
        return _overview(evaluation, colors, title)
    side = 0.76 if classes > 4 else 1.0  # inches of one cell
    figure = Figure((side * (classes + 1) + 1.3, side * (classes + 1) + 1.6), DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(colors)
    for row, column in np.ndindex(classes, classes):
        count = int(counts[row, column])
        ink = readable_on(colors[row, column]) if count else "#8a8a8a"
        style: dict[str, Any] = {"color": ink, "ha": "center"}
        if support[row] == 0:
            axes.text(column, row, "–", va="center", **style)
        elif normalize:
            axes.text(column, row + 0.06, f"{100 * shares[row, column]:.0f} %", va="bottom", fontsize=12, **style)
            axes.text(column, row + 0.12, f"{count:,}", va="top", fontsize=8.5, **style)
        else:
            axes.text(column, row, f"{count:,}", va="center", fontsize=12, **style)
    _label_matrix(axes, evaluation)
    headline(figure, title, _scores(evaluation))
    return figure


def _overview(evaluation: Evaluation, colors: np.ndarray, title: str) -> Figure:
    """Draws many classes in a picture that is as large as for a few: cells of colour, and a name now and then."""
    names, classes = evaluation.class_names, len(evaluation.class_names)
    figure = Figure((_OVERVIEW, _OVERVIEW + 1.0), DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(colors.astype(np.float32), interpolation="nearest" if classes <= _SHARP else "antialiased")
    named = every_nth(classes, _MOST_NAMED)
    size = 9.5 if classes <= _MOST_NAMED / 2 else 6.5
    called = [short(names[index]) for index in named]
    axes.set_xticks(named, called, rotation=90, fontsize=size, parse_math=False)
    axes.set_yticks(named, called, fontsize=size, parse_math=False)
    axes.tick_params(length=2, labelcolor=INK, color=FAINT, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(f"predicted, {classes:,} classes", color=FAINT, fontsize=9.5)
    axes.set_ylabel("true" if len(named) == classes else f"true, {len(named)} of them named", color=FAINT, fontsize=9.5)
    files = "numbers: tables/confusion_matrix.csv, recall and precision: tables/classification_report.csv"
    headline(figure, title, f"{_scores(evaluation)}\n{files}")
    return figure


def training_curves(
    history: pd.DataFrame,
    stage_starts: Sequence[int] = (),
    best_epoch: int | None = None,
    title: str = "Training",
) -> Figure:
    """Draws one panel for each metric of the history, with the splits as lines, and the learning rate last.

    Args:
        history: Column `epoch` and columns `<split>/<metric>`, plus others such as `lr`; NaN where not measured.
        stage_starts: First epoch of each later stage (for example fine-tuning), marked by a dotted line.
        best_epoch: The epoch whose weights are kept; its validation values are marked and written out.
        title: First line.

    Raises:
        ValueError: If there is no `epoch`, nothing to draw, or no row of `best_epoch`.
    """
    panels: dict[str, list[str]] = {}
    for column in history.columns.drop("epoch", errors="ignore"):
        if history[column].notna().any():
            panels.setdefault(column.rpartition("/")[2], []).append(column)
    if "epoch" not in history or not panels:
        raise ValueError(
            "`history` must hold the column `epoch` and at least one measured column. "
            f"Received: {len(history)} rows of {list(history.columns)}."
        )
    if best_epoch is not None and best_epoch not in set(history["epoch"]):
        raise ValueError(f"`best_epoch` must be an epoch of `history`. Received: best_epoch={best_epoch}.")
    metrics = sorted(panels, key=lambda metric: (metric == "lr", metric not in ("loss", *_PERCENT_METRICS)))
    across = min(len(metrics), 2 if len(metrics) <= 4 else 3)
    down = math.ceil(len(metrics) / across)
    figure = Figure((max(4.6 * across, 6), 2.9 * down + 0.7), DPI, layout="constrained")
    for position, metric in enumerate(metrics, start=1):
        axes = figure.add_subplot(down, across, position)
        _draw_metric(axes, history, metric, panels[metric], best_epoch)
        for start in stage_starts:
            axes.axvline(start - 0.5, color=FAINT, linewidth=1, linestyle=":", zorder=1)
    notes = [f"{len(history)} epoch{'s' if len(history) != 1 else ''}"]
    notes += [f"best epoch {best_epoch} (dots)"] if best_epoch is not None else []
    notes += ["dotted lines: a new stage starts"] if stage_starts else []
    headline(figure, title, ", ".join(notes))
    return figure


def _cell_colors(values: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Returns RGB (classes, classes, 3) for values between 0 and 1: blue on the diagonal, orange beside it."""
    right = np.eye(len(values), dtype=bool)[..., None]
    # Mistakes spread over many cells: the full orange at one half keeps a confusion of 15 % visible.
    orange = colormaps["Oranges"](np.minimum(1.5 * values, 0.75))
    colors = np.where(right, colormaps["Blues"](0.9 * values), orange)[..., :3]
    colors[(values == 0) & ~right[..., 0]] = 0.975
    colors[support == 0] = 0.93
    return colors


def _label_matrix(axes: Axes, evaluation: Evaluation) -> None:
    """Names the classes and writes recall to the right of the rows, precision below the columns."""
    names, classes = [short(name) for name in evaluation.class_names], len(evaluation.class_names)
    rows = [f"{name}\n{count:,}" for name, count in zip(names, evaluation.support, strict=True)]
    axes.set_yticks(range(classes + 1), [*rows, "precision"], parse_math=False)
    slant: dict[str, Any] = {"rotation": 40, "ha": "left"} if max(map(len, names)) > 9 else {}
    axes.set_xticks(range(classes + 1), [*names, "recall"], **slant, parse_math=False)
    axes.set(xlim=(-0.5, classes + 0.5), ylim=(classes + 0.5, -0.5))
    axes.tick_params(length=0, labelsize=9.5, labelcolor=INK, top=True, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("predicted", color=FAINT, fontsize=9.5)
    axes.set_ylabel("true, with its number of images", color=FAINT, fontsize=9.5)
    for index in range(classes):
        for x, y, value in [
            (classes, index, evaluation.recall[index]),
            (index, classes, evaluation.precision[index]),
        ]:
            written = "–" if np.isnan(value) else f"{100 * value:.1f} %"
            axes.text(x, y, written, ha="center", va="center", fontsize=9.5, color=INK)
    edges = np.arange(classes + 1) - 0.5
    axes.hlines(edges, -0.5, classes - 0.5, color="white", linewidth=1.5)
    axes.vlines(edges, -0.5, classes - 0.5, color="white", linewidth=1.5)


def _scores(evaluation: Evaluation) -> str:
    """Returns two lines with the scores and their intervals."""
    scores = {
        "accuracy": (evaluation.accuracy, evaluation.accuracy_interval),
        "macro F1": (evaluation.macro_f1, evaluation.macro_f1_interval),
    }
    return "\n".join(
        f"{name} {100 * value:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f})"
        for name, (value, (low, high)) in scores.items()
    )


def _draw_metric(axes: Axes, history: pd.DataFrame, metric: str, columns: list[str], best_epoch: int | None) -> None:
    """Draws the columns of one metric, one line each, and marks the best epoch on the validation line."""
    percent = metric in _PERCENT_METRICS
    for number, column in enumerate(columns):
        line = history[["epoch", column]].dropna()
        split = column.rpartition("/")[0]
        color = _COLORS.get(split, INK if number == 0 else f"C{number + 2}")
        marker = "o" if len(line) <= 12 else ""
        axes.plot(
            line["epoch"],
            line[column],
            color=color,
            label=split,
            marker=marker,
            markersize=3.5,
            linewidth=1.7,
        )
        best = line.loc[line["epoch"] == best_epoch, column]
        if best_epoch is not None and split == "val" and len(best):
            value = float(best.iloc[0])
            axes.plot(best_epoch, value, "o", color=color, markersize=8, markeredgecolor="white")
            written = f"{100 * value:.1f} %" if percent else f"{value:.3f}"
            axes.annotate(
                written,
                (best_epoch, value),
                xytext=(0, 8),
                textcoords="offset points",
                ha="center",
                color=color,
            )
    axes.set_title(_METRIC_TITLES.get(metric, metric), loc="left", fontsize=10.5, color=INK)
    axes.set_xlabel("epoch", fontsize=9, color=FAINT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.tick_params(labelsize=9, labelcolor=INK, color=FAINT)
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if any(column.rpartition("/")[0] for column in columns):
        axes.legend(frameon=False, fontsize=9, labelcolor=INK)
