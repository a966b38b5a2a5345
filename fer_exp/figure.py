"""The pictures of a run: confusion matrix, training curves, sheets of images.

Called by `experiment` and scripts with results that are already computed; each function returns a matplotlib
`Figure`, and `save` alone writes a file. It must not know models, tracking or where files belong. Figures are built
without pyplot, whose global state would keep every figure of a sweep alive and would look for a display.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fer_exp.metrics import Evaluation

_DPI = 120
_INK, _FAINT = "#222222", "#6b6b6b"
# Okabe and Ito's colours stay apart with every common colour blindness. Source: https://jfly.uni-koeln.de/color/
_COLORS = {"train": "#0072b2", "val": "#d55e00", "test": "#009e73"}
_METRIC_TITLES = {"macro_f1": "macro F1", "lr": "learning rate"}
_PERCENT_METRICS = ("accuracy", "macro_f1", "balanced_accuracy")


def confusion_matrix(evaluation: Evaluation, normalize: bool, title: str) -> Figure:
    """Draws the confusion matrix: blue cells are right, orange ones wrong, recall and precision at the sides.

    Args:
        evaluation: What to draw, 2 to about 11 classes.
        normalize: Whether colour and large print show the share of the true class's images, with the count below,
            instead of the count alone.
        title: First line; the scores and their intervals follow below it.
    """
    classes, counts, support = len(evaluation.class_names), evaluation.confusion, evaluation.support
    shares = counts / np.maximum(support, 1)[:, None]
    colors = _cell_colors(shares if normalize else counts / counts.max(), support)
    side = 0.76 if classes > 4 else 1.0  # inches of one cell
    figure = Figure((side * (classes + 1) + 1.3, side * (classes + 1) + 1.6), _DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(colors)
    for row, column in np.ndindex(classes, classes):
        count = int(counts[row, column])
        ink = _readable_on(colors[row, column]) if count else "#8a8a8a"
        style: dict[str, Any] = {"color": ink, "ha": "center"}
        if support[row] == 0:
            axes.text(column, row, "–", va="center", **style)
        elif normalize:
            axes.text(column, row + 0.06, f"{100 * shares[row, column]:.0f} %", va="bottom", fontsize=12, **style)
            axes.text(column, row + 0.12, f"{count:,}", va="top", fontsize=8.5, **style)
        else:
            axes.text(column, row, f"{count:,}", va="center", fontsize=12, **style)
    _label_matrix(axes, evaluation)
    _headline(figure, title, _scores(evaluation))
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
    figure = Figure((max(4.6 * across, 6), 2.9 * down + 0.7), _DPI, layout="constrained")
    for position, metric in enumerate(metrics, start=1):
        axes = figure.add_subplot(down, across, position)
        _draw_metric(axes, history, metric, panels[metric], best_epoch)
        for start in stage_starts:
            axes.axvline(start - 0.5, color=_FAINT, linewidth=1, linestyle=":", zorder=1)
    notes = [f"{len(history)} epoch{'s' if len(history) != 1 else ''}"]
    notes += [f"best epoch {best_epoch} (dots)"] if best_epoch is not None else []
    notes += ["dotted lines: a new stage starts"] if stage_starts else []
    _headline(figure, title, ", ".join(notes))
    return figure


def confidently_wrong(evaluation: Evaluation, images: np.ndarray, most: int = 24) -> Figure:
    """Draws the wrongly classified images the model was most certain about, most certain first.

    Args:
        evaluation: Predictions on `images`.
        images: uint8 (n, height, width, channels), channels 1 or 3, in the order of the evaluation.
        most: Largest number of images, >= 1.

    Raises:
        ValueError: If `images` does not fit the evaluation.
    """
    _check_images(images, len(evaluation))
    wrong = np.flatnonzero(evaluation.labels != evaluation.predictions)
    confidence = evaluation.probabilities.max(axis=1)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    subtitle = f"true → predicted with its probability; {len(shown)} of {len(wrong):,} mistakes"
    subtitle += f" in {len(evaluation):,} images"
    if not len(wrong):
        subtitle = f"There are none: all {len(evaluation):,} images are classified correctly."
    width, height, across = 1.4, 1.75, 6  # inches of a cell, cells in a row
    figure, axes = _sheet(
        width * min(max(len(shown), 4), across),
        height * math.ceil(len(shown) / across),
        "The most confident mistakes",
        subtitle,
    )
    for position, index in enumerate(shown):
        left, top = width * (position % across), height * (position // across)
        _place(axes, images[index], left + 0.06, top, width - 0.12)
        true, predicted = (evaluation.class_names[c[index]] for c in (evaluation.labels, evaluation.predictions))
        caption = f"{true} → {predicted}\n{100 * confidence[index]:.0f} %"
        # A line of n characters is about 0.58 n times the font size wide.
        size = min(9.0, 72 * width / (0.58 * caption.index("\n")))
        axes.text(left + width / 2, top + width - 0.08, caption, ha="center", va="top", fontsize=size, color=_INK)
    return figure


def samples(
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    per_class: int = 8,
    title: str = "Samples",
) -> Figure:
    """Draws a sheet with one row of images for each class, spread evenly over the class's images.

    Args:
        images: uint8 (n, height, width, channels), channels 1 or 3.
        labels: int (n,), 0 <= label < number of classes.
        class_names: Name of each class, in label order.
        per_class: Largest number of images in a row, >= 1.
        title: First line.

    Raises:
        ValueError: If `images` does not fit the labels.
    """
    _check_images(images, len(labels))
    side, left = 0.92, 0.35 + 0.085 * max(map(len, class_names))  # inches
    subtitle = f"{len(labels):,} images; below each name the number of its images"
    figure, axes = _sheet(left + side * per_class, side * len(class_names), title, subtitle)
    for row, name in enumerate(class_names):
        members = np.flatnonzero(labels == row)
        shown = members[np.linspace(0, len(members) - 1, min(per_class, len(members))).round().astype(int)]
        for column, index in enumerate(shown):
            _place(axes, images[index], left + side * column, side * row, side - 0.06)
        middle = side * (row + 0.5) - 0.03
        axes.text(left - 0.12, middle, name, ha="right", va="bottom", fontsize=10, color=_INK)
        count = f"{len(members):,}" if len(members) else "none"
        axes.text(left - 0.12, middle + 0.03, count, ha="right", va="top", fontsize=8.5, color=_FAINT)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes the figure as PNG in one step, so that a killed run leaves the whole file or none.

    Args:
        figure: What to write.
        path: Target ending in `.png`; its folder is made if needed.

    Raises:
        ValueError: If `path` has another ending.
    """
    if path.suffix != ".png":
        raise ValueError(f"`path` must end in .png. Received: {path}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        figure.savefig(part, format="png")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _cell_colors(values: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Returns RGB (classes, classes, 3) for values between 0 and 1: blue on the diagonal, orange beside it."""
    right = np.eye(len(values), dtype=bool)[..., None]
    # Mistakes spread over many cells: the full orange at one half keeps a confusion of 15 % visible.
    orange = colormaps["Oranges"](np.minimum(1.5 * values, 0.75))
    colors = np.where(right, colormaps["Blues"](0.9 * values), orange)[..., :3]
    colors[(values == 0) & ~right[..., 0]] = 0.975
    colors[support == 0] = 0.93
    return colors


def _readable_on(color: np.ndarray) -> str:
    """Returns white or black ink, whichever contrasts more with an RGB colour. Source: WCAG 2.2, contrast ratio."""
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    ink = 0.016  # luminance of _INK
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / (ink + 0.05) else _INK


def _label_matrix(axes: Axes, evaluation: Evaluation) -> None:
    """Names the classes and writes recall to the right of the rows, precision below the columns."""
    names, classes = evaluation.class_names, len(evaluation.class_names)
    rows = [f"{name}\n{count:,}" for name, count in zip(names, evaluation.support, strict=True)]
    axes.set_yticks(range(classes + 1), [*rows, "precision"])
    slant: dict[str, Any] = {"rotation": 40, "ha": "left"} if max(map(len, names)) > 9 else {}
    axes.set_xticks(range(classes + 1), [*names, "recall"], **slant)
    axes.set(xlim=(-0.5, classes + 0.5), ylim=(classes + 0.5, -0.5))
    axes.tick_params(length=0, labelsize=9.5, labelcolor=_INK, top=True, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("predicted", color=_FAINT, fontsize=9.5)
    axes.set_ylabel("true, with its number of images", color=_FAINT, fontsize=9.5)
    for index in range(classes):
        for x, y, value in [
            (classes, index, evaluation.recall[index]),
            (index, classes, evaluation.precision[index]),
        ]:
            written = "–" if np.isnan(value) else f"{100 * value:.1f} %"
            axes.text(x, y, written, ha="center", va="center", fontsize=9.5, color=_INK)
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
        color = _COLORS.get(split, _INK if number == 0 else f"C{number + 2}")
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
    axes.set_title(_METRIC_TITLES.get(metric, metric), loc="left", fontsize=10.5, color=_INK)
    axes.set_xlabel("epoch", fontsize=9, color=_FAINT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.tick_params(labelsize=9, labelcolor=_INK, color=_FAINT)
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if any(column.rpartition("/")[0] for column in columns):
        axes.legend(frameon=False, fontsize=9, labelcolor=_INK)


def _sheet(width: float, height: float, title: str, subtitle: str) -> tuple[Figure, Axes]:
    """Returns a figure and axes whose coordinates are inches from the top left, below the headline."""
    margin, top = 0.12, _headline_height(subtitle)
    total_width, total_height = max(width, 5.6) + 2 * margin, height + top + margin
    figure = Figure((total_width, total_height), _DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-margin, total_width - margin), ylim=(height + margin, -top))
    axes.set_axis_off()
    _headline(figure, title, subtitle)
    return figure, axes


def _place(axes: Axes, image: np.ndarray, left: float, top: float, side: float) -> None:
    """Draws a uint8 image (height, width, channels) into a square of `side` inches, keeping its proportions."""
    height, width = side * np.array(image.shape[:2]) / max(image.shape[:2])
    left, top = left + (side - width) / 2, top + (side - height) / 2
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    axes.imshow(
        pixels,
        cmap="gray",
        vmin=0,
        vmax=255,
        extent=(left, left + width, top + height, top),
        interpolation="hanning",
        aspect="auto",
    )


def _headline_height(subtitle: str) -> float:
    return 0.45 + 0.17 * (subtitle.count("\n") + 1)  # inches


def _headline(figure: Figure, title: str, subtitle: str) -> None:
    """Writes a bold title and plain lines below it at the top left, and keeps the layout out of their way."""
    height = figure.get_figheight()
    left = 0.12 / figure.get_figwidth()
    figure.text(left, 1 - 0.1 / height, title, va="top", fontsize=13, fontweight="bold", color=_INK)
    figure.text(left, 1 - 0.37 / height, subtitle, va="top", fontsize=9.5, linespacing=1.3, color=_FAINT)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, 0, 1, 1 - _headline_height(subtitle) / height))


def _check_images(images: np.ndarray, count: int) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3) or len(images) != count:
        raise ValueError(
            f"`images` must be uint8 of shape ({count}, height, width, 1 or 3), one image for each label. "
            f"Received: {images.dtype} of shape {images.shape}."
        )
