"""Predictions for every image of a data set by a quick classifier that has not seen it.

Called by the doctor for data. Train is predicted by cross-validation, val and test by what was fitted on train: labels
of val and test influence nothing. Copies of an image are in one fold. The classifier is ridge regression on patch
features, in closed form: the normal equations of the folds add up, so that five fits cost hardly more than one, and so
do those of chunks of images, so that memory does not grow with their number: features of more images than fit into
`_HELD_BYTES` are computed a second time instead of being kept.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fer_exp.data.stored_rows import Rows
from fer_exp.doctor import copies, patches
from fer_exp.doctor.pool import TRAIN, Group, Pool

FOLDS = 5
_RIDGE = 0.3  # penalty for each image; features have variance 1. On FER2013 0.3 gives 0.8 points more than 1
_MOST_FILTERS, _FEWEST_FILTERS = 128, 16
_IMAGES_A_FILTER = 100
_SEED = 0
_HELD_BYTES = 2**30  # of features: 65,000 images with 128 filters
_LEAST_DEVIATION = 1e-3  # of a feature, whatever is below being as good as constant


@dataclass(frozen=True)
class Predicted:
    """What the classifier says.

    Attributes:
        probabilities: float64 (n, classes); rows sum to 1, classes that were not learned have 0.
        usable: bool (n,), False for images of classes too small to be learned and tested.
        accuracy: On train, 0-1, each image by a classifier that has not seen it.
        notes: What must be said about it.
    """

    probabilities: np.ndarray
    usable: np.ndarray
    accuracy: float
    notes: tuple[str, ...]


def predict(pool: Pool, same: Sequence[Group], advance: Callable[[float], None] = lambda share: None) -> Predicted:
    """Predicts every image.

    Args:
        pool: The images.
        same: Groups of copies, which are never divided between folds.
        advance: Told the share that is done, 0 to 1.
    """
    train = np.flatnonzero(pool.splits == TRAIN)
    classes, counts = np.unique(pool.labels[train], return_counts=True)
    learned = classes[counts >= FOLDS]
    usable = np.isin(pool.labels, learned)
    probabilities = np.zeros((len(pool), len(pool.class_names)))
    small = [pool.class_names[label] for label in np.setdiff1d(np.unique(pool.labels), learned)]
    notes = (f"Labels of {', '.join(small)} are not judged: fewer than {FOLDS} train images.",) if small else ()
    if len(learned) < 2:
        return Predicted(probabilities, np.zeros(len(pool), bool), 0.0, ("Labels are not judged: one class alone.",))
    filters = int(np.clip(len(train) // _IMAGES_A_FILTER, _FEWEST_FILTERS, _MOST_FILTERS))
    train = train[usable[train]]
    dictionary = patches.learn(pool.images, np.flatnonzero(pool.splits == TRAIN), filters, _SEED)
    blocks = _Blocks(pool.images, dictionary, advance)
    targets = np.searchsorted(learned, pool.labels[train])
    folds = _folds(targets, copies.of_each(same, len(pool))[train])
    scores = _scores(blocks, len(pool), train, targets, folds, len(learned))
    advance(0.95)
    probabilities[:, learned] = _calibrated(scores, train, targets)
    accuracy = float((probabilities[train].argmax(axis=1) == pool.labels[train]).mean())
    return Predicted(probabilities, usable, accuracy, notes)


class _Blocks:
    """The features of all images in blocks, as often as they are asked for.

    Args:
        images: uint8 (n, height, width, channels).
        filters: What makes the features.
        advance: Told the share of all that is done, up to 0.95, if there are two rounds.
    """

    def __init__(self, images: Rows, filters: patches.Filters, advance: Callable[[float], None]) -> None:
        self._images, self._filters, self._advance = images, filters, advance
        self._keeps = 4 * len(images) * filters.width <= _HELD_BYTES
        self._kept: list[np.ndarray] = []
        self._passed = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields float32 (k, width), in the order of the images; not to be written to."""
        whole, known = 2 * len(self._images), bool(self._kept)
        for block in self._kept if known else patches.features(self._images, self._filters):
            if self._keeps and not known:
                self._kept.append(block)
            self._passed += len(block)
            self._advance(0.95 * self._passed / whole)
            yield block


def _folds(targets: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Returns the fold of each image, int (n,): the groups of each class dealt out at random, in equal numbers."""
    _, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(_SEED).permutation(len(first))
    order = shuffled[np.argsort(targets[first][shuffled], kind="stable")]
    fold_of_group = np.empty(len(first), np.int64)
    fold_of_group[order] = np.arange(len(first)) % FOLDS
    return fold_of_group[group_of]


def _scores(
    blocks: Iterable[np.ndarray], count: int, train: np.ndarray, targets: np.ndarray, folds: np.ndarray, classes: int
) -> np.ndarray:
    """Returns ridge scores float32 (count, classes), those of train by the fits without their fold.

    Args:
        blocks: float32 (k, width), `count` rows in all; gone through twice.
        count: Number of images.
        train: int (t,), ascending, the rows that are learned from.
        targets: int (t,).
        folds: int (t,).
        classes: Number of targets.
    """
    goals = np.eye(classes, dtype=np.float32)[targets]
    shares = goals.mean(axis=0)
    sums = _summed(blocks, train, goals - shares, folds)
    penalty = np.float32(_RIDGE * len(train))
    whole, product = sum(sums.grams[1:], sums.grams[0]), sum(sums.products[1:], sums.products[0])
    weights = [_solved(whole, product, penalty)]
    for gram, own in zip(sums.grams, sums.products, strict=True):
        weights.append(_solved(whole - gram, product - own, penalty))
    stacked = np.stack(weights, axis=1).reshape(len(product), -1) / sums.scale[:, None]
    offset = -(sums.shift @ stacked).reshape(FOLDS + 1, classes)
    fit_of = np.zeros(count, np.int64)  # the one of all, and of train that without its fold
    fit_of[train] = 1 + folds
    scores, done = np.empty((count, classes), np.float32), 0
    for block in blocks:
        fits = fit_of[done : done + len(block)]
        answers = (block @ stacked).reshape(len(block), FOLDS + 1, classes) + offset
        scores[done : done + len(block)] = answers[np.arange(len(block)), fits]
        done += len(block)
    return scores + shares


@dataclass(frozen=True)
class _Sums:
    """The normal equations of each fold, of features with mean 0 and deviation 1 over train.

    Attributes:
        grams: float32 (width, width) each.
        products: float32 (width, classes) each.
        shift: float32 (width,), mean of each feature.
        scale: float32 (width,), deviation of each feature.
    """

    grams: list[np.ndarray]
    products: list[np.ndarray]
    shift: np.ndarray
    scale: np.ndarray


def _summed(blocks: Iterable[np.ndarray], train: np.ndarray, goals: np.ndarray, folds: np.ndarray) -> _Sums:
    """Adds up the normal equations in one pass.

    Mean and deviation are known at its end only. What is added up is centred on the first training images, whose mean
    is near enough for nothing to cancel, and is put right afterwards.

    Args:
        blocks: float32 (k, width).
        train: int (t,), ascending.
        goals: float32 (t, classes).
        folds: int (t,).
    """
    grams: list[np.ndarray] = []
    products: list[np.ndarray] = []
    totals = near = np.zeros(0)
    start = 0
    for block in blocks:
        among = slice(*np.searchsorted(train, [start, start + len(block)]))
        rows, start = train[among] - start, start + len(block)
        if not len(rows):
            continue
        if not grams:
            width, near = block.shape[1], block[rows].mean(axis=0)
            grams = [np.zeros((width, width), np.float32) for _ in range(FOLDS)]
            products = [np.zeros((width, goals.shape[1]), np.float32) for _ in range(FOLDS)]
            totals = np.zeros((FOLDS, width))
        for fold in range(FOLDS):
            chosen = folds[among] == fold
            held = block[rows[chosen]] - near
            grams[fold] += held.T @ held
            products[fold] += held.T @ goals[among][chosen]
            totals[fold] += held.sum(axis=0, dtype=np.float64)
    mean = totals.sum(axis=0) / len(train)
    squares = sum(gram.diagonal().astype(np.float64) for gram in grams) / len(train)
    scale = np.maximum(np.sqrt(np.maximum(squares - mean**2, 0)), _LEAST_DEVIATION)
    counts, goal_sums = np.bincount(folds, minlength=FOLDS), [goals[folds == f].sum(axis=0) for f in range(FOLDS)]
    for fold, (gram, product) in enumerate(zip(grams, products, strict=True)):
        # Sum of (x - m)(x - m)' = sum of xx' - m s' - s m' + n m m', as m (n m - s)' - s m'; a row at a time is enough.
        rest = (counts[fold] * mean - totals[fold]).astype(np.float32)
        own, m = totals[fold].astype(np.float32), mean.astype(np.float32)
        gram += np.outer(m, rest)
        gram -= np.outer(own, m)
        gram /= scale.astype(np.float32)
        gram /= scale.astype(np.float32)[:, None]
        product -= np.outer(mean, goal_sums[fold]).astype(np.float32)
        product /= scale.astype(np.float32)[:, None]
    return _Sums(grams, products, (near + mean).astype(np.float32), scale.astype(np.float32))


def _solved(gram: np.ndarray, product: np.ndarray, penalty: np.float32) -> np.ndarray:
    from scipy.linalg import solve

    gram = gram.copy()
    gram[np.diag_indices_from(gram)] += penalty
    return solve(gram, product, assume_a="pos", overwrite_a=True, check_finite=False)


def _calibrated(scores: np.ndarray, train: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns scores as probabilities, by logistic regression on the scores of train."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(scores[train])
    fitted = LogisticRegression(C=10.0, max_iter=500).fit(scaler.transform(scores[train]), targets)
    return fitted.predict_proba(scaler.transform(scores))
