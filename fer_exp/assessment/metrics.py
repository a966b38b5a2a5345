"""How good predictions are: accuracy, macro F1, their intervals and per-class values.

Called by `conclusion`, by `export` for the exported model and by scripts, always on probabilities that are already
computed. It must not know models, images, files or the tracking server, and imports no TensorFlow and no matplotlib.

One rule covers classes that are missing from a split. A value that is undefined is NaN and stays out of every mean:
recall of a class without images, precision and F1 of a class that is neither in the labels nor among the
predictions. So `macro_f1` averages over the classes present in labels or predictions (a class that is predicted
without having an image counts, as 0), and `balanced_accuracy` over the classes present in the labels. On a split
that holds every class both are the usual means over all classes. Precision of a class that has images but is never
predicted is 0, as with scikit-learn's `zero_division=0`.

Every interval is a 95 % interval. Accuracy, recall and precision are shares of counted images and have Wilson's score
interval; F1, macro F1 and balanced accuracy are not, and have the percentile interval of 1,000 bootstrap resamples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from fer_exp.record.names import metric_names

# Softmax in float32 is exact to 1e-6; logits, sigmoids and half-precision sums are further off than this.
_ROW_SUM_TOLERANCE = 1e-3
_MOST_CELLS = 2_000_000  # of confusion matrices, drawn at a time


class Interval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions on one split and everything that follows from them; built by `evaluate`.

    Attributes:
        probabilities: float32 (n, classes), rows sum to 1.
        labels: int64 (n,), the true classes.
        predictions: int64 (n,), the most probable classes; the lower number wins a tie.
        class_names: Name of each class, in label order.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def confusion(self) -> np.ndarray:
        """Counts, int64 (classes, classes): rows are true classes, columns predicted ones."""
        classes = len(self.class_names)
        return np.bincount(self.labels * classes + self.predictions, minlength=classes**2).reshape(classes, classes)

    @cached_property
    def support(self) -> np.ndarray:
        """Number of images of each true class, int64 (classes,)."""
        return self.confusion.sum(axis=1)

    @cached_property
    def accuracy(self) -> float:
        """Share of the images that are classified correctly."""
        return float(np.trace(self.confusion) / len(self))

    @cached_property
    def accuracy_interval(self) -> Interval:
        """Wilson score interval of the accuracy."""
        low, high = wilson(np.trace(self.confusion), np.array(len(self)))
        return Interval(float(low), float(high))

    @cached_property
    def recall(self) -> np.ndarray:
        """Share of each class's images that are found, float64 (classes,); NaN for a class without images."""
        return _ratio(np.diagonal(self.confusion), self.support)

    @cached_property
    def precision(self) -> np.ndarray:
        """Share of each class's predictions that are right, float64 (classes,); 0 for images without a prediction."""
        precision = _ratio(np.diagonal(self.confusion), self.confusion.sum(axis=0))
        return np.where(np.isnan(precision) & (self.support > 0), 0.0, precision)

    @cached_property
    def f1(self) -> np.ndarray:
        """Harmonic mean of precision and recall, float64 (classes,); NaN for a class neither present nor predicted."""
        return _f1(self.confusion)

    @cached_property
    def recall_interval(self) -> np.ndarray:
        """Wilson score interval of each recall, float64 (classes, 2); NaN for a class without images."""
        return wilson(np.diagonal(self.confusion), self.support)

    @cached_property
    def precision_interval(self) -> np.ndarray:
        """Wilson score interval of each precision, float64 (classes, 2); NaN for a class that is never predicted."""
        return wilson(np.diagonal(self.confusion), self.confusion.sum(axis=0))

    @cached_property
    def f1_interval(self) -> np.ndarray:
        """Bootstrap interval of each F1, float64 (classes, 2); NaN where F1 is."""
        return percentiles(self._drawn.f1)

    @cached_property
    def macro_f1(self) -> float:
        """Mean F1 over the classes present in labels or predictions."""
        return float(np.nanmean(self.f1))

    @cached_property
    def macro_f1_interval(self) -> Interval:
        """Bootstrap interval of the macro F1."""
        return Interval(*percentiles(np.nanmean(self._drawn.f1, axis=1)))

    @cached_property
    def balanced_accuracy(self) -> float:
        """Mean recall over the classes present in the labels."""
        return float(np.nanmean(self.recall))

    @cached_property
    def balanced_accuracy_interval(self) -> Interval:
        """Bootstrap interval of the balanced accuracy."""
        return Interval(*percentiles(np.nanmean(self._drawn.recall, axis=1)))

    @cached_property
    def _drawn(self) -> "Resampled":
        return resampled(self.confusion)


def evaluate(probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> Evaluation:
    """Checks predictions against labels and puts them together.

    Args:
        probabilities: (n, classes), n >= 1, classes >= 2, between 0 and 1, rows sum to 1.
        labels: Integers (n,), 0 <= label < classes.
        class_names: Name of each class, in label order, all different.

    Raises:
        ValueError: If shapes, types or ranges do not hold.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    _check_probabilities(probabilities)
    count, classes = probabilities.shape
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"`labels` must be integers of shape ({count},), one for each row of `probabilities`. "
            f"Received: {labels.dtype} of shape {labels.shape}."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"`labels` must lie between 0 and {classes - 1}. Received: {labels.min()} to {labels.max()}.")
    if len(class_names) != classes or len(set(class_names)) != classes:
        raise ValueError(
            f"`class_names` must hold {classes} different names, one for each column of `probabilities`. "
            f"Received: {list(class_names)}."
        )
    probabilities = probabilities.astype(np.float32)
    return Evaluation(
        probabilities,
        labels.astype(np.int64),
        probabilities.argmax(axis=1).astype(np.int64),
        tuple(class_names),
    )


def of_sources(evaluation: Evaluation, sources: np.ndarray, names: Sequence[str]) -> dict[str, Evaluation]:
    """Returns the evaluation of the images of each source that has any, by its name.

    Args:
        evaluation: Of all images.
        sources: int (n,), index into `names`.
        names: Of the sources.
    """
    found = {}
    for number, name in enumerate(names):
        rows = sources == number
        if rows.any():
            found[name] = evaluate(evaluation.probabilities[rows], evaluation.labels[rows], evaluation.class_names)
    return found


def wilson(hits: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the 95 % Wilson score interval of shares, float64 (..., 2): low, high; NaN where nothing was counted.

    Args:
        hits: Integers (...).
        counts: Integers (...), how many there were to hit.

    Source:
        Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    z = NormalDist().inv_cdf(0.975)
    share, inverse = _ratio(hits, counts), _ratio(np.ones(np.shape(counts)), counts)
    center = (share + z**2 * inverse / 2) / (1 + z**2 * inverse)
    half = z * np.sqrt(share * (1 - share) * inverse + (z * inverse) ** 2 / 4) / (1 + z**2 * inverse)
    # At the ends the formula gives 0 and 1 but for rounding, which would leave an end such as 2.8e-17.
    low, high = np.where(share == 0, 0, center - half), np.where(share == 1, 1, center + half)
    return np.clip(np.stack([low, high], axis=-1), 0, 1)


class Resampled(NamedTuple):
    """What resamples of a confusion matrix hold; each float64 (resamples, classes), NaN where it is undefined."""

    recall: np.ndarray
    f1: np.ndarray


def resampled(confusion: np.ndarray, resamples: int = 1000, seed: int = 0) -> Resampled:
    """Draws confusion matrices as the bootstrap does, and measures each.

    Drawing n images with replacement is drawing the confusion matrix from a multinomial distribution, so whole
    matrices are drawn instead of images: the same distribution, without a loop. Only cells that hold images are drawn,
    a part of the resamples at a time, so that a thousand classes take no more memory than the images do. The spread
    between training seeds is not in it, and it has no width where the sample has no variation (everything right).

    Args:
        confusion: int (classes, classes), at least one image.
        resamples: Number of matrices drawn, >= 1.
        seed: Seed of the draw.
    """
    count, classes, random = int(confusion.sum()), len(confusion), np.random.default_rng(seed)
    rows, columns = np.nonzero(confusion)
    shares = confusion[rows, columns] / count
    right, true, predicted = (np.zeros((resamples, classes), np.int64) for _ in range(3))
    step = max(1, _MOST_CELLS // len(rows))
    for start in range(0, resamples, step):
        cells = random.multinomial(count, shares, size=min(step, resamples - start))
        part = slice(start, start + len(cells))
        right[part, rows[rows == columns]] = cells[:, rows == columns]
        true[part] = _summed(cells, rows, classes)
        predicted[part] = _summed(cells, columns, classes)
    return Resampled(_ratio(right, true), _ratio(2 * right, true + predicted))


def _summed(cells: np.ndarray, of: np.ndarray, classes: int) -> np.ndarray:
    """Returns the sums of the cells of each class: (resamples, cells) -> (resamples, classes)."""
    order = np.argsort(of, kind="stable")
    held, starts = np.unique(of[order], return_index=True)
    sums = np.zeros((len(cells), classes), np.int64)
    sums[:, held] = np.add.reduceat(cells[:, order], starts, axis=1)
    return sums


def percentiles(drawn: np.ndarray) -> np.ndarray:
    """Returns the ends of the middle 95 % of resamples, float64 (..., 2).

    Args:
        drawn: A value of each resample, float64 (resamples, ...); NaN where it is undefined, which does not count.
    """
    undefined = np.isnan(drawn).all(axis=0)
    bounds = np.moveaxis(np.nanquantile(np.where(undefined, 0, drawn), [0.025, 0.975], axis=0), 0, -1)
    return np.where(undefined[..., None], np.nan, bounds)


def scalars(evaluation: Evaluation, prefix: str) -> dict[str, float]:
    """Returns the numbers to track, named `<prefix>/accuracy`, `<prefix>/f1/<class>` and so on; never NaN.

    A class is called there as `record.names` says.

    Args:
        evaluation: What to summarise.
        prefix: First part of every name, usually the split.
    """
    values = {
        "accuracy": evaluation.accuracy,
        "accuracy_low": evaluation.accuracy_interval.low,
        "accuracy_high": evaluation.accuracy_interval.high,
        "macro_f1": evaluation.macro_f1,
        "macro_f1_low": evaluation.macro_f1_interval.low,
        "macro_f1_high": evaluation.macro_f1_interval.high,
        "balanced_accuracy": evaluation.balanced_accuracy,
        "balanced_accuracy_low": evaluation.balanced_accuracy_interval.low,
        "balanced_accuracy_high": evaluation.balanced_accuracy_interval.high,
    }
    per_class = {"f1": evaluation.f1, "recall": evaluation.recall}  # the tables of a run have more
    for metric, row in per_class.items():
        named = zip(metric_names(evaluation.class_names), row, strict=True)
        values |= {f"{metric}/{name}": float(value) for name, value in named if not np.isnan(value)}
    return {f"{prefix}/{name}": value for name, value in values.items()}


def scalars_of_sources(found: Mapping[str, Evaluation], prefix: str) -> dict[str, float]:
    """Returns `<prefix>/<source>/accuracy`, `.../macro_f1` and `.../n`, the number of images.

    Args:
        found: From `of_sources`.
        prefix: First part of every name, usually the split.
    """
    values: dict[str, float] = {}
    for name, evaluation in zip(metric_names(list(found)), found.values(), strict=True):
        numbers = {"accuracy": evaluation.accuracy, "macro_f1": evaluation.macro_f1, "n": float(len(evaluation))}
        values |= {f"{prefix}/{name}/{key}": value for key, value in numbers.items()}
    return values


def _check_probabilities(probabilities: np.ndarray) -> None:
    if probabilities.ndim != 2 or probabilities.shape[0] < 1 or probabilities.shape[1] < 2:
        raise ValueError(
            "`probabilities` must have shape (n, classes) with at least one row and two classes. "
            f"Received: shape {probabilities.shape}."
        )
    finite = np.isfinite(probabilities).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"`probabilities` must be finite. Received: NaN or infinity in {np.sum(~finite)} of {len(finite)} rows, "
            f"first in row {np.argmin(finite)}."
        )
    sums = probabilities.sum(axis=1, dtype=np.float64)
    worst = int(np.argmax(np.abs(sums - 1)))
    if probabilities.min() < 0 or abs(sums[worst] - 1) > _ROW_SUM_TOLERANCE:
        raise ValueError(
            "`probabilities` must lie between 0 and 1 and each row must sum to 1: apply a softmax to logits first. "
            f"Received: smallest value {probabilities.min():.4g}, row {worst} sums to {sums[worst]:.4g}."
        )


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divides counts; NaN where there is nothing to divide by."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _f1(confusion: np.ndarray) -> np.ndarray:
    """F1 of each class for any stack of confusion matrices: (..., classes, classes) -> (..., classes)."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    return _ratio(2 * right, confusion.sum(axis=-1) + confusion.sum(axis=-2))
