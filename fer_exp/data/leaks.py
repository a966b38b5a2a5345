"""Images that are trained on and tested on at once: said before a training, or refused.

Called by `loading` when the data are loaded. Copies are found pixel for pixel, by digests, so that it costs a
fraction of a second and streams what lies on disk; near copies are the doctor's business.
"""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fer_exp.data import duplicates
from fer_exp.dataset import Splits
from fer_exp.errors import DataError

_log = logging.getLogger(__name__)
_DOCTOR = "python -m fer_exp.doctor data"


@dataclass(frozen=True)
class Leaks:
    """How many images of a split are among others.

    Attributes:
        test_in_train: Test images that are in train too.
        test_in_val: Test images that are in val too.
        val_in_train: Val images that are in train too.
    """

    test_in_train: int
    test_in_val: int
    val_in_train: int

    @property
    def notes(self) -> Mapping[str, int]:
        """For the record, those that are not 0."""
        return {f"leaked_{name}": count for name, count in vars(self).items() if count}


def find(splits: Splits) -> Leaks:
    """Counts the images of val and test that are in an earlier split too, equal in every pixel."""
    train, val, test = (duplicates.digests(split.inputs) for split in (splits.train, splits.val, splits.test))
    return Leaks(
        test_in_train=int(duplicates.known(test, train).sum()),
        test_in_val=int(duplicates.known(test, val).sum()),
        val_in_train=int(duplicates.known(val, train).sum()),
    )


def checked(splits: Splits, strict: bool, arguments: Callable[[], str]) -> Splits:
    """Warns of images that are in more than one split, and notes how many.

    Args:
        splits: What is about to be trained on.
        strict: Whether that is an error.
        arguments: Tells what the doctor must be told to look at the same data; asked if there is a leak.

    Returns:
        The same splits, with a note for each kind of leak.

    Raises:
        DataError: If there are any and `strict` is set.
    """
    found = find(splits)
    if not found.notes:
        return splits
    parts = [
        f"{count:,} of {total:,} {split} images are in {other} too"
        for count, total, split, other in (
            (found.test_in_train, len(splits.test), "test", "train"),
            (found.test_in_val, len(splits.test), "test", "val"),
            (found.val_in_train, len(splits.val), "val", "train"),
        )
        if count
    ]
    text = f"{', '.join(parts)}, equal in every pixel: results on them say too much"
    remedy = f"`{_DOCTOR} {arguments()}` shows them and writes exclude.csv for dataset.exclude="
    if strict:
        raise DataError(f"`strict` allows no image in two splits. Received: {text}. {remedy}; or set strict=false.")
    _log.warning("%s. %s", text, remedy)
    return dataclasses.replace(splits, notes={**splits.notes, **found.notes})
