"""Predictions for every image of a data set by a quick classifier that has not seen it.

Called by the doctor for data. Train is predicted by cross-validation, val and test by what was fitted on train: labels
of val and test influence nothing. Copies of an image are in one fold. The classifier is ridge regression on patch
features, in closed form: the normal equations of the folds add up, so that five fits cost hardly more than one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fer_exp.data.image_rows import take
from fer_exp.doctor import copies, patches
from fer_exp.doctor.pool import TRAIN, Group, Pool

FOLDS = 5
_RIDGE = 0.3  # penalty for each image; features have variance 1. On FER2013 0.3 gives 0.8 points more than 1
_MOST_FILTERS, _FEWEST_FILTERS = 128, 16
_IMAGES_A_FILTER = 100
_SEED = 0


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
    dictionary = patches.learn(take(pool.images, train), filters, _SEED)
    features = patches.features(pool.images, dictionary, lambda share: advance(0.7 * share))
    train = train[usable[train]]
    features -= features[train].mean(axis=0)
    features /= np.maximum(features[train].std(axis=0), 1e-3)
    targets = np.searchsorted(learned, pool.labels[train])
    folds = _folds(targets, copies.of_each(same, len(pool))[train])
    scores = _scores(features, train, targets, folds, len(learned))
    advance(0.95)
    probabilities[:, learned] = _calibrated(scores, train, targets)
    accuracy = float((probabilities[train].argmax(axis=1) == pool.labels[train]).mean())
    return Predicted(probabilities, usable, accuracy, notes)


def _folds(targets: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Returns the fold of each image, int (n,): the groups of each class dealt out at random, in equal numbers."""
    _, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(_SEED).permutation(len(first))
    order = shuffled[np.argsort(targets[first][shuffled], kind="stable")]
    fold_of_group = np.empty(len(first), np.int64)
    fold_of_group[order] = np.arange(len(first)) % FOLDS
    return fold_of_group[group_of]


def _scores(
    features: np.ndarray, train: np.ndarray, targets: np.ndarray, folds: np.ndarray, classes: int
) -> np.ndarray:
    """Returns ridge scores float32 (n, classes), those of train by the fits without their fold."""
    goals = np.eye(classes, dtype=np.float32)[targets]
    shares = goals.mean(axis=0)
    grams, products = [], []
    for fold in range(FOLDS):
        held = features[train[folds == fold]]
        grams.append(held.T @ held)
        products.append(held.T @ (goals[folds == fold] - shares))
    whole, product = sum(grams[1:], grams[0]), sum(products[1:], products[0])
    penalty = np.float32(_RIDGE * len(train))
    scores = features @ _solved(whole, product, penalty)
    for fold in range(FOLDS):
        rows = train[folds == fold]
        scores[rows] = features[rows] @ _solved(whole - grams[fold], product - products[fold], penalty)
    return scores + shares


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
