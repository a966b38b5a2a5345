"""Which rows a fraction of the training images draws: each class gives its share, and no person is on both sides.

Called by the data sets. It must not know images.
"""

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from fer_exp.errors import DataError

SplitFraction = Annotated[float, Field(gt=0, lt=1)]
"""A stratified fraction of the training rows."""
SplitSpec = SplitFraction | str
"""A stratified fraction of the training rows, or the name of a split in the source."""
_GROUP_DRAWS = 200  # random divisions of groups, of which the one nearest to the fraction of every class is taken


def stratified_rows(
    labels: np.ndarray, fraction: float, seed: int, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a stratified fraction of the rows.

    Args:
        labels: int (n,).
        fraction: Share to draw, 0 < fraction < 1; every class gives its share, rounded.
        seed: Seed of the draw.
        groups: str (n,); whole groups are drawn, so that the shares are met only as well as these allow. None: each
            row is on its own.

    Returns:
        Sorted row numbers that stay, and sorted row numbers that were drawn.

    Raises:
        DataError: With groups, if there is one group.
        ValueError: If a class has a single row, or a side has fewer rows than there are classes.
    """
    if groups is not None:
        return _stratified_groups(labels, fraction, seed, groups)
    from sklearn.model_selection import train_test_split

    kept, drawn = train_test_split(np.arange(len(labels)), test_size=fraction, stratify=labels, random_state=seed)
    return np.sort(kept), np.sort(drawn)


def _stratified_groups(
    labels: np.ndarray, fraction: float, seed: int, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draws whole groups: among random draws, the one whose share of each class is nearest to the fraction."""
    from sklearn.model_selection import ShuffleSplit

    held, group_of = np.unique(groups, return_inverse=True)
    if len(held) < 2:
        raise DataError(
            f"A fraction of {fraction} cannot be drawn by groups (persons), of which none is divided: all "
            f"{len(labels)} rows are of one, {held[0]}. Add images of other persons."
        )
    classes, label_of = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(held), len(classes)), np.int64)
    np.add.at(counts, (group_of, label_of), 1)
    size = min(max(round(fraction * len(held)), 1), len(held) - 1)
    draws = ShuffleSplit(_GROUP_DRAWS, test_size=size, random_state=seed).split(counts)

    def distance(groups_drawn: np.ndarray) -> float:
        return float(np.abs(counts[groups_drawn].sum(axis=0) / counts.sum(axis=0) - fraction).max())

    nearest = min((drawn for _, drawn in draws), key=distance)
    is_drawn = np.isin(group_of, nearest)
    return np.flatnonzero(~is_drawn), np.flatnonzero(is_drawn)


def draw_fractions(
    labels: np.ndarray,
    train: np.ndarray,
    val: SplitSpec,
    test: SplitSpec,
    seed: int,
    class_names: Sequence[str],
    source: str,
    groups: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Takes those of val and test that are given as fractions out of the training rows.

    Args:
        labels: int (n,), of all rows.
        train: Row numbers that may be trained on.
        val: Fraction of `train`, or a name, which is not looked at.
        test: The same.
        seed: Seed of the draw.
        class_names: Name of each label, in label order, for messages.
        source: Where the data are, for messages.
        groups: str (n,), of all rows: none is divided between splits. None: each row is on its own.

    Returns:
        Sorted row numbers of `train` and of each split that is a fraction.

    Raises:
        DataError: If the fractions leave nothing to train on, or a class cannot be divided.
    """
    fractions = {name: spec for name, spec in (("val", val), ("test", test)) if isinstance(spec, float)}
    if sum(fractions.values()) >= 1:
        raise DataError(f"`dataset.val` and `dataset.test` must leave training rows. Received: {val} and {test}.")
    rows, left = {"train": train}, 1.0
    for name, fraction in fractions.items():
        # Both fractions are of all training rows, so the second is a larger share of what the first has left.
        of_train = None if groups is None else groups[rows["train"]]
        if groups is None:
            _check_fraction(f"dataset.{name}", fraction, left, labels[rows["train"]], class_names, source)
        kept, drawn = stratified_rows(labels[rows["train"]], fraction / left, seed, of_train)
        rows[name], rows["train"], left = rows["train"][drawn], rows["train"][kept], left - fraction
    return rows


def _check_fraction(
    option: str, fraction: float, left: float, labels: np.ndarray, class_names: Sequence[str], source: str
) -> None:
    """Refuses a fraction by which not every class can be on both sides.

    Args:
        option: Its key.
        fraction: Of all training images.
        left: Share of these that may still be drawn from.
        labels: int (n,), of those that may be drawn.
        class_names: Name of each label.
        source: Where the data are.
    """
    held, counts = np.unique(labels, return_counts=True)
    single = [class_names[label] for label in held[counts < 2]]
    rule = f"`{option}` must draw an image of each class from the training images, and leave one of each."
    if single:
        raise DataError(
            f"{rule} Received: {option}={fraction:g}, and {', '.join(single)} has a single training image in {source}. "
            "Add images of it, or remove it."
        )
    count, least = len(labels), len(held)
    drawn = math.ceil(fraction / left * count)
    if min(drawn, count - drawn) >= least:
        return
    whole = count / left
    lowest, highest = math.ceil(1000 * least / whole) / 1000, math.floor(1000 * (count - least) / whole) / 1000
    advice = f"Give a fraction from {lowest:g} to {highest:g}" if lowest <= highest else "Add images"
    raise DataError(
        f"{rule} Received: {option}={fraction:g}, which draws {drawn} and leaves {count - drawn} of {count} images in "
        f"{least} classes in {source}. {advice}, or name a split that the source has."
    )
