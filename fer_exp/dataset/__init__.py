"""Contract of a data set: `build(*, ...) -> Splits`, NumPy only.

Called by `experiment` through `config.build`. A data set must not know models, augmentation or tracking. To add one,
write `fer_exp/dataset/<name>.py` with a `build` function and `conf/dataset/<name>.yaml` that points at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from fer_exp import data_cache
from fer_exp.errors import DataError

SplitSpec = Annotated[float, Field(gt=0, lt=1)] | str
"""A stratified fraction of the training rows, or the name of a split in the source."""


@dataclass(frozen=True)
class Split:
    """Images and labels of one split.

    Attributes:
        images: uint8 (n, height, width, channels), 0-255, channels 1 (grey) or 3 (RGB).
        labels: int64 (n,), 0 <= label < number of classes.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray | slice) -> "Split":
        """Returns the given rows as a new split."""
        return Split(self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class Splits:
    """What a data set hands to the experiment.

    Attributes:
        train: What the model is fitted on.
        val: What selects the epoch, the schedule and the best job of a sweep.
        test: Touched once, at the end.
        class_names: Name of each label, in label order.
        sha256: Hex digest of the content (images, labels, split), equal for equal content.
        source: Where the data came from: a path, or a description of the generator.
        notes: What the reader had to do to the data, for the record (rows skipped, files renamed ...).
    """

    train: Split
    val: Split
    test: Split
    class_names: tuple[str, ...]
    sha256: str
    source: str
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels


def stratified_rows(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws a stratified fraction of the rows.

    Args:
        labels: int (n,).
        fraction: Share to draw, 0 < fraction < 1; every class gives its share, rounded.
        seed: Seed of the draw.

    Returns:
        Sorted row numbers that stay, and sorted row numbers that were drawn.

    Raises:
        DataError: If a class has a single row, so that it cannot be on both sides.
    """
    from sklearn.model_selection import train_test_split

    try:
        kept, drawn = train_test_split(np.arange(len(labels)), test_size=fraction, stratify=labels, random_state=seed)
    except ValueError as error:
        raise DataError(
            f"A stratified fraction of {fraction} of {len(labels)} rows cannot be drawn: {error}"
        ) from error
    return np.sort(kept), np.sort(drawn)


def draw_fractions(
    labels: np.ndarray, train: np.ndarray, val: SplitSpec, test: SplitSpec, seed: int
) -> dict[str, np.ndarray]:
    """Takes those of val and test that are given as fractions out of the training rows.

    Args:
        labels: int (n,), of all rows.
        train: Row numbers that may be trained on.
        val: Fraction of `train`, or a name, which is not looked at.
        test: The same.
        seed: Seed of the draw.

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
        kept, drawn = stratified_rows(labels[rows["train"]], fraction / left, seed)
        rows[name], rows["train"], left = rows["train"][drawn], rows["train"][kept], left - fraction
    return rows


def assemble(
    splits: Mapping[str, Split], class_names: tuple[str, ...], source: str, notes: Mapping[str, Any] | None = None
) -> Splits:
    """Puts train, val and test together and computes the digest of their content."""
    train, val, test = splits["train"], splits["val"], splits["test"]
    arrays = [array for split in (train, val, test) for array in (split.images, split.labels)]
    return Splits(train, val, test, class_names, data_cache.sha256_of_arrays(arrays), source, notes or {})
