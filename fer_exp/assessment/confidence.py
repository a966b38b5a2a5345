"""Whether a model is as often right as it is confident: ECE, Brier score, NLL and the bins of the reliability diagram.

Called by `examine` and by the picture. Confidence is the probability of the predicted class.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_exp.assessment.metrics import Evaluation, Interval, percentiles, wilson

BINS = 15
_RESAMPLES = 1000
_LEAST = float(np.finfo(np.float32).eps)  # what a probability of 0 counts as, as with scikit-learn's `log_loss`


@dataclass(frozen=True)
class Bins:
    """Images put together by confidence; bins without images are left out.

    Attributes:
        count: int (bins,), images.
        confidence: float64 (bins,), their mean confidence.
        accuracy: float64 (bins,), the share that is classified correctly.
        interval: float64 (bins, 2), Wilson's, of the accuracy.
        low: float64 (bins,), lower edge of the bin.
        high: float64 (bins,), upper edge.
    """

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    interval: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance between confidence and accuracy, over the images."""
        return float(np.average(np.abs(self.confidence - self.accuracy), weights=self.count))


@dataclass(frozen=True)
class Confidence:
    """How far probabilities can be taken at their word.

    Attributes:
        ece: Expected calibration error over `BINS` bins of equal width.
        ece_adaptive: The same over `BINS` bins of equally many images.
        overconfidence: Mean confidence minus accuracy.
        brier: Mean over images of the squared distance between probabilities and truth, summed over classes: 0 to 2.
        brier_interval: Bootstrap over images.
        nll: Mean negative logarithm of the true class's probability.
        nll_interval: Bootstrap over images.
    """

    ece: float
    ece_adaptive: float
    overconfidence: float
    brier: float
    brier_interval: Interval
    nll: float
    nll_interval: Interval


def measure(evaluation: Evaluation, seed: int = 0) -> Confidence:
    """Measures the calibration of predictions.

    Args:
        evaluation: What to measure.
        seed: Of the bootstrap.

    Source:
        Guo et al., "On Calibration of Modern Neural Networks", 2017, https://arxiv.org/abs/1706.04599 (ECE, 15 bins);
        Nixon et al., "Measuring Calibration in Deep Learning", 2019, https://arxiv.org/abs/1904.01685 (adaptive bins);
        Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    rows, labels = evaluation.probabilities.astype(np.float64), evaluation.labels
    truth = np.eye(len(evaluation.class_names))[labels]
    squares = np.sum((rows - truth) ** 2, axis=1)
    surprise = -np.log(np.maximum(rows[np.arange(len(labels)), labels], _LEAST))
    brier, nll = (_mean_with_interval(values, seed) for values in (squares, surprise))
    return Confidence(
        ece=equal_width(evaluation).error,
        ece_adaptive=equal_count(evaluation).error,
        overconfidence=float(np.mean(rows.max(axis=1)) - evaluation.accuracy),
        brier=brier[0],
        brier_interval=brier[1],
        nll=nll[0],
        nll_interval=nll[1],
    )


def scalars(confidence: Confidence, prefix: str) -> dict[str, float]:
    """Returns the numbers to track: `<prefix>/ece`, `<prefix>/nll_low` and so on.

    Args:
        confidence: From `measure`.
        prefix: First part of every name, usually the split.
    """
    found = {
        "ece": confidence.ece,
        "ece_adaptive": confidence.ece_adaptive,
        "overconfidence": confidence.overconfidence,
        "brier": confidence.brier,
        "brier_low": confidence.brier_interval.low,
        "brier_high": confidence.brier_interval.high,
        "nll": confidence.nll,
        "nll_low": confidence.nll_interval.low,
        "nll_high": confidence.nll_interval.high,
    }
    return {f"{prefix}/{name}": value for name, value in found.items()}


def table(evaluation: Evaluation) -> pd.DataFrame:
    """Returns the bins of both kinds: `bins` (equal_width, equal_count), edges, images, and what happens in them."""
    found = {"equal_width": equal_width(evaluation), "equal_count": equal_count(evaluation)}
    return pd.concat(
        pd.DataFrame(
            {
                "bins": name,
                "from": bins.low,
                "to": bins.high,
                "images": bins.count,
                "confidence": bins.confidence,
                "accuracy": bins.accuracy,
                "accuracy_low": bins.interval[:, 0],
                "accuracy_high": bins.interval[:, 1],
            }
        )
        for name, bins in found.items()
    )


def equal_width(evaluation: Evaluation, bins: int = BINS) -> Bins:
    """Puts images into bins of equal width between 0 and 1; a value on an edge belongs to the lower bin."""
    edges = np.linspace(0, 1, bins + 1)
    confidence = evaluation.probabilities.max(axis=1).astype(np.float64)
    number = np.clip(np.searchsorted(edges, confidence, "left") - 1, 0, bins - 1)
    return _binned(evaluation, confidence, number, edges)


def equal_count(evaluation: Evaluation, bins: int = BINS) -> Bins:
    """Puts images, sorted by confidence, into bins of equally many, up to one."""
    confidence = evaluation.probabilities.max(axis=1).astype(np.float64)
    number = np.empty(len(confidence), np.int64)
    order = np.argsort(confidence, kind="stable")
    number[order] = np.arange(len(order)) * min(bins, len(order)) // len(order)
    starts = confidence[order][np.searchsorted(number[order], np.arange(min(bins, len(order))))]
    return _binned(evaluation, confidence, number, np.append(starts, confidence.max()))


def _binned(evaluation: Evaluation, confidence: np.ndarray, number: np.ndarray, edges: np.ndarray) -> Bins:
    right = evaluation.labels == evaluation.predictions
    count = np.bincount(number, minlength=len(edges) - 1)
    held = np.flatnonzero(count)
    hits = np.bincount(number, right, len(edges) - 1)[held]
    return Bins(
        count=count[held],
        confidence=np.bincount(number, confidence, len(edges) - 1)[held] / count[held],
        accuracy=hits / count[held],
        interval=wilson(hits, count[held]),
        low=edges[held],
        high=edges[held + 1],
    )


def _mean_with_interval(values: np.ndarray, seed: int) -> tuple[float, Interval]:
    """Returns the mean and its interval; a large split is resampled a part at a time."""
    random, count = np.random.default_rng(seed), len(values)
    step = max(1, 2_000_000 // count)
    drawn = [random.integers(0, count, (min(step, _RESAMPLES - start), count)) for start in range(0, _RESAMPLES, step)]
    means = np.concatenate([values[rows].mean(axis=1) for rows in drawn])
    return float(values.mean()), Interval(*map(float, percentiles(means)))
