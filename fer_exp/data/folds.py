"""K-fold cross-validation: which images are trained on and which are validated; the test split stays untouched.

Called by `loading` between the data set and everything that looks at it. It must not know a particular data set, nor
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
    one image. Where images have groups (persons), these are cut instead: none is in two folds, and the sizes and shares
    are as near to that as whole groups allow. The digest stays, because the content does.

    Args:
        splits: The data set.
        folds: Number of folds, >= 2.
        fold: The one to validate on, 0 <= fold < folds; the others are trained on. None leaves the data set as it is.

    Raises:
        DataError: If a class has fewer images, or fewer groups, than there are folds.
    """
    if fold is None:
        return splits
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    whole = concatenate([splits.train, splits.val], len(splits.class_names))
    labels = whole.labels
    _check(labels, splits.class_names, folds)
    if whole.groups is None:
        shuffled = StratifiedKFold(folds, shuffle=True, random_state=_SHUFFLE_SEED).split(labels, labels)
    else:
        _check_groups(labels, whole.groups, splits.class_names, folds)
        grouped = StratifiedGroupKFold(folds, shuffle=True, random_state=_SHUFFLE_SEED)
        shuffled = grouped.split(labels, labels, whole.groups)
    train, val = list(shuffled)[fold]
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


def _check_groups(labels: np.ndarray, groups: np.ndarray, class_names: tuple[str, ...], folds: int) -> None:
    """Refuses classes that too few groups show: each group is in one fold only."""
    showing = {int(label): len(np.unique(groups[labels == label])) for label in np.unique(labels)}
    rarest, fewest = min(showing.items(), key=lambda item: item[1])
    if fewest < folds:
        smaller = f"folds={fewest} or " if fewest > 1 else ""
        raise DataError(
            "`folds` must be at most the groups (persons) that show each class in train and val together, because no "
            f"group is divided. Received: folds={folds}, and {class_names[rarest]} is shown by {fewest} of "
            f"{len(np.unique(groups))}. Use {smaller}fold=null."
        )
