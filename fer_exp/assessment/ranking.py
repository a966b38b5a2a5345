"""How well the probability of a class sorts images: one class against the rest, by ROC-AUC and average precision.

Called by `examine` and by the picture of the curves. It knows no model.

A class without images, or without images of any other class, has neither value: both are NaN and stay out of the means.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fer_exp.assessment.metrics import Evaluation, Interval, percentiles

RESAMPLES = 500


@dataclass(frozen=True)
class Ranking:
    """One-against-rest values of every class.

    Attributes:
        auc: Area under the ROC curve, float64 (classes,).
        auc_interval: float64 (classes, 2), percentiles of `RESAMPLES` bootstrap resamples of the images.
        macro_auc: Mean over the classes that have a value.
        macro_auc_interval: Of the same resamples.
        precision: Average precision, float64 (classes,).
        precision_interval: As of `auc`.
        macro_precision: As of `auc`.
        macro_precision_interval: As of `auc`.
    """

    auc: np.ndarray
    auc_interval: np.ndarray
    macro_auc: float
    macro_auc_interval: Interval
    precision: np.ndarray
    precision_interval: np.ndarray
    macro_precision: float
    macro_precision_interval: Interval


def rank(evaluation: Evaluation, seed: int = 0) -> Ranking:
    """Measures how the probabilities of each class sort the images.

    Args:
        evaluation: What to measure.
        seed: Of the bootstrap.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    classes = len(evaluation.class_names)
    defined = _defined(evaluation)
    auc, precision = np.full(classes, np.nan), np.full(classes, np.nan)
    for index in defined:
        truth, scores = evaluation.labels == index, evaluation.probabilities[:, index]
        auc[index], precision[index] = roc_auc_score(truth, scores), average_precision_score(truth, scores)
    drawn = np.full((2, RESAMPLES, classes), np.nan)
    drawn[:, :, defined] = _resampled(evaluation, defined, seed)
    ends = [percentiles(rows) for rows in drawn]
    macro = [Interval(*percentiles(_mean(rows))) for rows in drawn]
    return Ranking(
        auc, ends[0], float(_mean(auc)), macro[0], precision, ends[1], float(_mean(precision)), macro[1]
    )  # fmt: skip


def scalars(ranking: Ranking, prefix: str) -> dict[str, float]:
    """Returns the numbers to track: `<prefix>/roc_auc`, `<prefix>/average_precision` and their intervals; never NaN.

    Those of single classes stand in the table: as metrics they would bury the others in the UI.

    Args:
        ranking: From `rank`.
        prefix: First part of every name, usually the split.
    """
    found: dict[str, float] = {}
    for name, macro, interval in (
        ("roc_auc", ranking.macro_auc, ranking.macro_auc_interval),
        ("average_precision", ranking.macro_precision, ranking.macro_precision_interval),
    ):
        found |= {name: macro, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {f"{prefix}/{name}": value for name, value in found.items() if not np.isnan(value)}


def table(ranking: Ranking, evaluation: Evaluation) -> pd.DataFrame:
    """Returns a row for each class, and one for their mean: both values, and the ends of their intervals."""
    found: dict[str, list[Any]] = {
        "class": [*evaluation.class_names, "mean"],
        "images": [*evaluation.support, len(evaluation)],
    }
    for name, rows, ends, mean, interval in (
        ("roc_auc", ranking.auc, ranking.auc_interval, ranking.macro_auc, ranking.macro_auc_interval),
        (
            "average_precision",
            ranking.precision,
            ranking.precision_interval,
            ranking.macro_precision,
            ranking.macro_precision_interval,
        ),
    ):
        found |= {name: [*rows, mean], f"{name}_low": [*ends[:, 0], interval.low]}
        found[f"{name}_high"] = [*ends[:, 1], interval.high]
    return pd.DataFrame(found)


def weighted(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns ROC-AUC and average precision of one class under many weightings of the images at once.

    Args:
        truth: bool (n,), which images are of the class.
        scores: float (n,), its probabilities.
        weights: (weightings, n), how often each image counts, >= 0.

    Returns:
        float64 (weightings,) each; NaN where the class or the rest counts nothing.
    """
    order = np.argsort(-scores, kind="stable")
    places = np.flatnonzero(truth[order])  # of the class's images, the most probable first
    first, last = _ties(scores[order])
    first_hit, last_hit = _ties(scores[order][places])
    of_class = weights[:, order[places]].astype(np.float64)
    every, hits = _sums(weights[:, order]), _sums(of_class)
    above, hits_above = every[:, first[places]], hits[:, first_hit]
    reached, hits_reached = every[:, last[places]], hits[:, last_hit]
    rest = every[:, -1:] - hits[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        # The rest that an image of the class is sorted above, those with an equal score by half.
        beaten = rest - ((above - hits_above) + (reached - hits_reached)) / 2
        auc = np.sum(of_class * beaten, axis=1) / (hits[:, -1] * rest[:, 0])
        precision = np.sum(np.nan_to_num(of_class * hits_reached / reached), axis=1) / hits[:, -1]
    precision[rest[:, 0] == 0] = np.nan
    return auc, precision


def _ties(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns how many scores stand before those equal to each one, and how many up to the last of them."""
    return np.searchsorted(-ordered, -ordered, "left"), np.searchsorted(-ordered, -ordered, "right")


def _sums(weights: np.ndarray) -> np.ndarray:
    """Returns the sums of the first 0, 1, 2 ... columns; whole numbers are exact to 2^24 in float32."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1), weights.dtype)
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _defined(evaluation: Evaluation) -> np.ndarray:
    """Returns the classes that have images, and images of other classes against them."""
    return np.flatnonzero((evaluation.support > 0) & (evaluation.support < len(evaluation)))


def _mean(rows: np.ndarray) -> np.ndarray:
    """Returns the mean over the last axis of what is defined; NaN where nothing is."""
    counts = np.sum(~np.isnan(rows), axis=-1)
    return np.divide(np.nansum(rows, axis=-1), counts, out=np.full(np.shape(counts), np.nan), where=counts > 0)


def _resampled(evaluation: Evaluation, defined: np.ndarray, seed: int) -> np.ndarray:
    """Returns both values of the defined classes in every resample, float64 (2, RESAMPLES, defined)."""
    random, count = np.random.default_rng(seed), len(evaluation)
    found = np.empty((2, RESAMPLES, len(defined)))
    step = max(1, 2_000_000 // count)  # resamples at a time: the memory of a large split stays small
    for start in range(0, RESAMPLES, step):
        drawn = min(step, RESAMPLES - start)
        weights = random.multinomial(count, np.full(count, 1 / count), size=drawn).astype(np.float32)
        for place, index in enumerate(defined):
            truth, scores = evaluation.labels == index, evaluation.probabilities[:, index]
            found[:, start : start + drawn, place] = weighted(truth, scores, weights)
    return found
