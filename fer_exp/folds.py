"""K-fold cross-validation: which images are trained on and which are validated; the test split stays untouched.

Called by `experiment` between the data set and everything that looks at it. It must not know a particular data set, nor
the experiment's seed: the folds follow from the data alone, so that seeds and folds are independent of each other.
"""

import dataclasses

import numpy as np

from fer_exp.dataset import Splits, concatenate
from fer_exp.errors import DataError

_SHUFFLE_SEED = 0  # of every data set and experiment; without shuffling, the last fold would be the former val split


def divide(splits: Splits, folds: int, fold: int | None) -> Splits:
    """Divides train and val of a data set anew.

    Both are put together and cut into folds of equal size, up to one image, each with its share of every class, up to
    one image. The digest stays, because the content does.

    Args:
        splits: The data set.
        folds: Number of folds, >= 2.
        fold: The one to validate on, 0 <= fold < folds; the others are trained on. None leaves the data set as it is.

    Raises:
        DataError: If a class has fewer images than there are folds.
    """
    if fold is None:
        return splits
    from sklearn.model_selection import StratifiedKFold

    whole = concatenate([splits.train, splits.val], len(splits.class_names))
    labels = whole.labels
    _check(labels, splits.class_names, folds)
    shuffled = StratifiedKFold(folds, shuffle=True, random_state=_SHUFFLE_SEED)
    train, val = list(shuffled.split(labels, labels))[fold]
    return dataclasses.replace(splits, train=whole.take(train), val=whole.take(val))


def _check(labels: np.ndarray, class_names: tuple[str, ...], folds: int) -> None:
    """Refuses classes that cannot be in every fold; one without any image is none of the folds' business."""
    present, counts = np.unique(labels, return_counts=True)
    rarest, fewest = class_names[present[counts.argmin()]], int(counts.min())
    if fewest < folds:
        smaller = f"folds={fewest} or " if fewest > 1 else ""
        raise DataError(
            "`folds` must be at most the images of every class in train and val together, so that each fold holds each "
            f"class. Received: folds={folds}, and {rarest} has {fewest}. Use {smaller}fold=null."
        )
