"""Whether a difference between two configurations is more than chance, given their answers to the same test images.

Called by `compare` and `registry` with arrays of right and wrong answers. It must not know runs, files or the
tracking server.

A difference has two sources of chance: which images happen to be in the test split, and which replicate (seed, fold)
happened to be trained. They are crossed, because every replicate answers every image, and a test of one alone says
nothing about the other: adding up the discordant pairs of several seeds as if they were different images would count
each image several times, and a t test over seeds knows only the images at hand. So:

- one pair of runs: McNemar's exact test (1947, Psychometrika 12:153), which speaks of new images for these two models.
- two pairs: McNemar's test for clustered pairs, an image being a cluster (Durkalski et al. 2003, Statistics in
  Medicine 22:2417). Two replicates are too few to say anything about a third.
- three pairs or more: min F' (Clark 1973, Journal of Verbal Learning and Verbal Behavior 12:335), which adds the
  variance between replicates to that between images and so speaks of new replicates and new images at once. In
  simulations (scripts/simulate_comparison.py) it called equal configurations different in at most 7 % of the trials
  (5 % are meant), the t test over seeds in up to 14 %, added-up counts in up to 70 %.
- Where the replicates are folds, their training images overlap, and the variance between them is enlarged as in the
  corrected resampled t test (Nadeau and Bengio 2003, Machine Learning 52:239).
- Several comparisons with one baseline: Holm (1979, Scandinavian Journal of Statistics 6:65).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_exp.assessment.metrics import Interval

ALPHA = 0.05
FEWEST_REPLICATES = 3  # from which on the variance between them is taken for known


@dataclass(frozen=True)
class Pair:
    """One replicate of a group against the same replicate of the baseline.

    Attributes:
        only_group: Images that the group's run alone has right.
        only_baseline: Images that the baseline's run alone has right.
        p_value: Of McNemar's exact test, two-sided.
    """

    only_group: int
    only_baseline: int
    p_value: float


@dataclass(frozen=True)
class PairedTest:
    """A group against the baseline on the same images; all p-values are two-sided.

    Attributes:
        difference: Accuracy of the group minus that of the baseline, mean over the pairs.
        interval: 95 % interval of the difference, from the same variance as `p_value`.
        p_images: Chance of such a difference from the choice of images alone, the trained models being as they are.
        p_replicates: The same from the choice of replicates alone, the images being as they are; NaN below three.
        p_value: The one to go by: over images and replicates together, or over images where replicates are too few.
        method: Name of the test behind `p_value`.
        pairs: One for each replicate.
    """

    difference: float
    interval: Interval
    p_images: float
    p_replicates: float
    p_value: float
    method: str
    pairs: tuple[Pair, ...]


def t_interval(values: Sequence[float]) -> Interval:
    """Returns Student's 95 % interval of the mean of at least two independent values."""
    half = float(_student().ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    mean = float(np.mean(values))
    return Interval(mean - half, mean + half)


def mcnemar(only_first: int, only_second: int) -> float:
    """Returns the two-sided p-value of McNemar's exact test.

    Args:
        only_first: Images that the first model alone has right.
        only_second: Images that the second model alone has right.
    """
    from scipy import stats

    discordant = only_first + only_second
    return float(stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p-values adjusted by Holm's step-down method, in the order given."""
    ranked = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(ranked):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def paired_test(group: np.ndarray, baseline: np.ndarray, folds: int | None = None) -> PairedTest:
    """Tests whether two configurations are equally accurate.

    Args:
        group: bool (pairs, images), whether the group's runs are right; at least one pair and two images.
        baseline: bool of the same shape, of the baseline's runs: the same replicate in each row, the same images.
        folds: Number of folds if the replicates differ in their fold, >= 2.
    """
    differences = group.astype(float) - baseline.astype(float)  # (pairs, images)
    pairs = tuple(_pair(*both) for both in zip(group, baseline, strict=True))
    difference = float(differences.mean())
    from_images = _variance_from_images(differences.mean(axis=0))
    if len(pairs) == 1:
        (pair,) = pairs
        return PairedTest(
            difference,
            _matched_interval(pair, differences.shape[1]),
            pair.p_value,
            np.nan,
            pair.p_value,
            "McNemar, exact",
            pairs,
        )
    p_images = _p_value(difference, from_images, np.inf)
    if len(pairs) < FEWEST_REPLICATES:
        interval = _interval(difference, from_images, np.inf)
        return PairedTest(difference, interval, p_images, np.nan, p_images, "McNemar, clustered by image", pairs)
    from_replicates = _variance_from_replicates(differences.mean(axis=1), folds)
    p_replicates = _p_value(difference, from_replicates, len(pairs) - 1)
    variance, freedom = _both(from_replicates, len(pairs), from_images, differences.shape[1])
    interval = _interval(difference, variance, freedom)
    p_value = _p_value(difference, variance, freedom)
    return PairedTest(difference, interval, p_images, p_replicates, p_value, "min F'", pairs)


def _pair(group: np.ndarray, baseline: np.ndarray) -> Pair:
    only_group, only_baseline = int(np.sum(group & ~baseline)), int(np.sum(baseline & ~group))
    return Pair(only_group, only_baseline, mcnemar(only_group, only_baseline))


def _variance_from_images(differences: np.ndarray) -> float:
    """Returns the variance of the mean of (images,) differences, as McNemar has it: were there no difference."""
    return float(np.sum(differences**2)) / len(differences) ** 2


def _variance_from_replicates(differences: np.ndarray, folds: int | None) -> float:
    """Returns the variance of the mean of (pairs,) differences, enlarged where training images overlap."""
    overlap = 1 / (folds - 1) if folds else 0.0
    return float(np.var(differences, ddof=1)) * (1 / len(differences) + overlap)


def _both(from_replicates: float, replicates: int, from_images: float, images: int) -> tuple[float, float]:
    """Returns the sum of two variances, and its degrees of freedom after Satterthwaite."""
    total = from_replicates + from_images
    weights = from_replicates**2 / (replicates - 1) + from_images**2 / (images - 1)
    return total, total**2 / weights if weights else np.inf


def _p_value(difference: float, variance: float, freedom: float) -> float:
    if variance == 0:  # all replicates differ by the same amount
        return 0.0 if difference else 1.0
    return float(2 * _student().sf(abs(difference) / variance**0.5, freedom))


def _interval(difference: float, variance: float, freedom: float) -> Interval:
    half = float(_student().ppf(0.975, freedom)) * variance**0.5
    return Interval(difference - half, difference + half)


def _matched_interval(pair: Pair, images: int) -> Interval:
    """Returns the interval of Agresti and Min for matched proportions. Source: Statistics in Medicine 24:729, 2005."""
    count = images + 2  # half an image in each of the four cells
    difference = (pair.only_group - pair.only_baseline) / count
    variance = (pair.only_group + pair.only_baseline + 1) / count**2 - difference**2 / count
    return _interval(difference, variance, np.inf)


def _student() -> Any:
    """Returns Student's distribution; its library takes half a second to import, and a mistyped id should not."""
    from scipy import stats

    return stats.t
