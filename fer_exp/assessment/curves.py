"""The curves of an evaluation: ROC and precision-recall of each class, reliability, accuracy under corruptions.

Called by `examine` with results that are already computed; each function returns a matplotlib `Figure`. It must not
know models or where files belong.
"""

import math
import re
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fer_exp.assessment import confidence
from fer_exp.assessment.confidence import Bins, Confidence
from fer_exp.assessment.corruptions import SEVERITIES
from fer_exp.assessment.metrics import Evaluation, Interval
from fer_exp.assessment.ranking import Ranking
from fer_exp.reporting.abridged import MOST_CLASSES, short
from fer_exp.reporting.figure_style import DPI, FAINT, INK, headline

# Okabe and Ito's colours, then darker ones, stay apart with every common colour blindness.
# Source: https://jfly.uni-koeln.de/color/
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b", "#b5a900", "#332288", "#7f7f7f")
_BLUE, _ORANGE = _COLORS[0], _COLORS[1]


def ranking_curves(evaluation: Evaluation, ranking: Ranking, title: str) -> Figure:
    """Draws ROC and precision-recall curves, a line for each class that has images, and their mean in black.

    Of more classes than have room, those are drawn that are ranked worst.

    Args:
        evaluation: What to draw.
        ranking: Its values, which the legends tell.
        title: First line.
    """
    from sklearn.metrics import precision_recall_curve, roc_curve

    figure = Figure((12.4, 5.6), DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    grid = np.linspace(0, 1, 201)
    found: list[list[np.ndarray]] = [[], []]
    order = [index for index in np.argsort(-np.nan_to_num(ranking.auc)) if not np.isnan(ranking.auc[index])]
    drawn = order if len(order) <= MOST_CLASSES else order[-len(_COLORS) :]
    for index in order:
        truth, scores = evaluation.labels == index, evaluation.probabilities[:, index]
        false, true, _ = roc_curve(truth, scores)
        precision, recall, _ = precision_recall_curve(truth, scores)
        if index in drawn:
            color = _COLORS[(index if drawn is order else drawn.index(index)) % len(_COLORS)]
            name = re.sub("^_", " _", short(evaluation.class_names[index]))  # which would hide it from the legend
            left.plot(false, true, color=color, linewidth=1.3, label=f"{name} {ranking.auc[index]:.3f}")
            label = f"{name} {ranking.precision[index]:.3f} ({100 * truth.mean():.0f} %)"
            right.step(recall, precision, color=color, linewidth=1.3, label=label, where="post")
        found[0].append(np.interp(grid, false, true))
        found[1].append(np.interp(grid, recall[::-1], precision[::-1]))
    for axes, rows, macro in ((left, found[0], ranking.macro_auc), (right, found[1], ranking.macro_precision)):
        if rows:
            axes.plot(grid, np.mean(rows, axis=0), color=INK, linewidth=2.4, label=f"mean {macro:.3f}")
    style: dict[str, Any] = {"frameon": False, "fontsize": 8.5, "labelcolor": INK, "title_fontsize": 8.5}
    if order:
        few = f", the {len(drawn)} least of {len(order):,}" if len(drawn) < len(order) else ""
        _legend(left, loc="lower right", title=f"area{few}", **style)
        heading = f"average precision\n(share of images){few}"
        _legend(right, loc="center left", bbox_to_anchor=(1, 0.5), title=heading, **style)
    left.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":", zorder=1)
    _dress(left, "ROC", "false positives, share of the other classes' images", "true positives (recall)")
    _dress(right, "Precision and recall", "recall", "precision")
    headline(figure, title, _ranked(ranking))
    return figure


def reliability(evaluation: Evaluation, measured: Confidence, title: str, before: Evaluation | None = None) -> Figure:
    """Draws accuracy against confidence in bins of equal width, and below it how confident the answers are.

    Args:
        evaluation: What to draw.
        measured: Its values.
        title: First line.
        before: The same without temperature scaling, drawn faintly.
    """
    figure = Figure((6.2, 7.4), DPI, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":", zorder=1)
    if before is not None:
        earlier = confidence.equal_width(before)
        upper.plot(
            earlier.confidence, earlier.accuracy, "o--", color=_ORANGE, markersize=4, linewidth=1.2,
            label=f"before temperature scaling, ECE {100 * earlier.error:.1f} %",
        )  # fmt: skip
        lower.stairs(_histogram(before), np.linspace(0, 1, confidence.BINS + 1), color=_ORANGE, linestyle="--")
    bins = confidence.equal_width(evaluation)
    _draw_bins(upper, bins, f"accuracy of a bin, 95 % interval; ECE {100 * bins.error:.1f} %")
    lower.stairs(_histogram(evaluation), np.linspace(0, 1, confidence.BINS + 1), fill=True, color=_BLUE, alpha=0.75)
    for value, name, style in (
        (float(evaluation.probabilities.max(axis=1).mean()), "mean confidence", "-"),
        (evaluation.accuracy, "accuracy", "--"),
    ):
        lower.axvline(value, color=INK, linewidth=1.3, linestyle=style, label=f"{name} {100 * value:.1f} %")
    lower.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="upper left")
    upper.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="upper left")
    _dress(upper, "", "", "share classified correctly")
    _dress(lower, "", "confidence: the probability of the predicted class", "share of images")
    fullest = max(float(_histogram(shown).max()) for shown in (evaluation, before or evaluation))
    lower.set_ylim(0, 1.9 * fullest)  # the legend stands above the bars
    headline(figure, title, _calibrated(measured))
    return figure


def robustness(table: pd.DataFrame, title: str) -> Figure:
    """Draws accuracy over severity, a panel for each corruption, with its interval.

    Args:
        table: From `robustness.measure`.
        title: First line.
    """
    names = list(dict.fromkeys(table["corruption"]))
    across = min(3, len(names))
    down = math.ceil(len(names) / across)
    figure = Figure((3.3 * max(across, 2), 2.5 * down + 0.8), DPI, layout="constrained")
    clean = float(table["accuracy"].iloc[0])
    first: Axes | None = None
    for position, name in enumerate(names, start=1):
        axes = figure.add_subplot(down, across, position, sharey=first)
        first = first or axes
        rows = table[table["corruption"] == name]
        axes.fill_between(rows["severity"], rows["low"], rows["high"], color=_BLUE, alpha=0.18, linewidth=0)
        axes.plot(rows["severity"], rows["accuracy"], "o-", color=_BLUE, markersize=4, linewidth=1.7)
        axes.axhline(clean, color=FAINT, linewidth=1, linestyle=":")
        mean = rows.loc[rows["severity"] > 0, "accuracy"].mean()
        axes.set_title(f"{name.replace('_', ' ')}, mean {100 * mean:.1f} %", loc="left", fontsize=10, color=INK)
        axes.set_xticks(range(SEVERITIES + 1), ["as is", *(f"{amount:.2g}" for amount in rows["amount"].iloc[1:])])
        axes.set_xlabel(str(rows["unit"].iloc[0]), fontsize=8.5, color=FAINT)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.tick_params(labelsize=8.5, labelcolor=INK, color=FAINT)
        axes.grid(color="#e4e4e4", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    if first is not None:
        first.set_ylim(0, None)
    images = int(table["images"].iloc[0])
    headline(
        figure,
        title,
        f"accuracy on the same {images:,} images, {100 * clean:.1f} % as they are (dotted); band: 95 % Wilson interval",
    )
    return figure


def _legend(axes: Axes, **how: Any) -> None:
    for text in axes.legend(**how).get_texts():
        text.set_parse_math(False)  # the name of a class may look like a formula


def _draw_bins(axes: Axes, bins: Bins, label: str) -> None:
    low, high = bins.accuracy - bins.interval[:, 0], bins.interval[:, 1] - bins.accuracy
    axes.vlines(bins.confidence, bins.confidence, bins.accuracy, color=_BLUE, alpha=0.25, linewidth=6)
    axes.errorbar(
        bins.confidence, bins.accuracy, np.maximum([low, high], 0), fmt="o-", color=_BLUE, markersize=5, linewidth=1.7,
        elinewidth=1, capsize=2.5, label=label,
    )  # fmt: skip


def _histogram(evaluation: Evaluation) -> np.ndarray:
    counts, _ = np.histogram(evaluation.probabilities.max(axis=1), confidence.BINS, (0, 1))
    return counts / len(evaluation)


def _dress(axes: Axes, title: str, below: str, beside: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_title(title, loc="left", fontsize=10.5, color=INK)
    axes.set_xlabel(below, fontsize=9, color=FAINT)
    axes.set_ylabel(beside, fontsize=9, color=FAINT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.tick_params(labelsize=9, labelcolor=INK, color=FAINT)
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _ranked(ranking: Ranking) -> str:
    if np.isnan(ranking.macro_auc):
        return "The images are all of one class: there is nothing to rank."

    def line(name: str, value: float, interval: Interval) -> str:
        return f"{name} {value:.3f} (95 % bootstrap interval {interval.low:.3f} to {interval.high:.3f})"

    return "one class against the rest; the mean counts every class alike\n" + ", ".join(
        [
            line("mean ROC-AUC", ranking.macro_auc, ranking.macro_auc_interval),
            line("mean average precision", ranking.macro_precision, ranking.macro_precision_interval),
        ]
    )


def _calibrated(measured: Confidence) -> str:
    over = 100 * measured.overconfidence
    word = "above" if over > 0 else "below"
    return (
        f"ECE {100 * measured.ece:.1f} % ({confidence.BINS} bins of equal width), {100 * measured.ece_adaptive:.1f} % "
        f"(of equally many images)\nNLL {measured.nll:.3f}, Brier score {measured.brier:.3f}; mean confidence "
        f"{abs(over):.1f} points {word} accuracy"
    )
