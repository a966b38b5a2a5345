"""Listed images decoded and divided into train, val and test: the end of every reader of folders.

Called by the options of `dataset` that read folders, once they know which images there are and what they show. It must
not know how a data set is laid out.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp.data import class_names, image_cache
from fer_exp.data.corrections import Corrections
from fer_exp.data.faces import FaceCrop
from fer_exp.data.folders import classes
from fer_exp.data.folders.listing import ImageFile
from fer_exp.data.fractions import SplitSpec, draw_fractions
from fer_exp.dataset import Split, Splits, assemble
from fer_exp.errors import DataError

_log = logging.getLogger(__name__)
_CHECK = "Check the folders, and the warnings about images."


@dataclass(frozen=True)
class Reading:
    """The options that all readers of folders have.

    Attributes:
        image_size: Height and width of the images in pixels.
        channels: 1 for grey, 3 for RGB.
        on_bad_image: `error` stops at the first image that cannot be decoded, `skip` leaves such images out.
        split_seed: Seed of the fractions.
        corrections: Which images of train and val are left out or labelled anew.
        cache_dir: Folder of the cache.
        face: How the largest face of each image is cut out; None for whole images, or boxes that are known.
    """

    image_size: int
    channels: int
    on_bad_image: Literal["error", "skip"]
    split_seed: int
    corrections: Corrections
    cache_dir: str
    face: FaceCrop | None = None


@dataclass(frozen=True)
class Listed:
    """The images of a data set, not yet decoded.

    Attributes:
        root: Folder they lie in.
        files: The files.
        labels: int64 (n,), 0 <= label < number of classes.
        class_names: Name of each label, in label order.
        groups: str (n,), persons; None if they are not known.
        boxes: int (n, 4), x, y, width, height of the face in each image; None for the whole image.
        notes: What the reader had to do so far.
        left_out: Paths of image files that options of the data set have left out.
        parts: str (n,), the part of the source that each image is in, as a person names it; None if there are none.
    """

    root: Path
    files: list[ImageFile]
    labels: np.ndarray
    class_names: tuple[str, ...]
    groups: np.ndarray | None = None
    boxes: np.ndarray | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    parts: np.ndarray | None = None


def divided(
    listed: Listed, masks: Mapping[str, np.ndarray], val: SplitSpec, test: SplitSpec, reading: Reading
) -> Splits:
    """Decodes images and divides them.

    Args:
        listed: The images.
        masks: bool (n,), which images are of `train`, and of each of `val` and `test` that the source knows.
        val: Fraction of the training images, or a name, whose images `masks` holds.
        test: The same.
        reading: How.

    Raises:
        DataError: If an image cannot be decoded, or a split has no images or classes that cannot be trained on.
    """
    files, labels, names = listed.files, listed.labels, listed.class_names
    if not files:
        raise DataError(f"{listed.root} holds no usable images. {_CHECK}")
    class_names.require_readable(names, str(listed.root))
    decoded = image_cache.decoded(
        listed.root,
        files,
        reading.image_size,
        reading.channels,
        reading.on_bad_image,
        reading.cache_dir,
        listed.boxes,
        face=reading.face,
    )
    usable = {name: np.flatnonzero(mask & decoded.kept) for name, mask in masks.items()}
    rows = _choose_rows(listed, usable, val, test, reading.split_seed)
    _check_classes(labels, rows, names)
    notes = {**listed.notes, **decoded.notes}
    absent = [name for label, name in enumerate(names) if label not in set(labels[rows["train"]].tolist())]
    if absent:
        notes["missing_classes"] = absent
    unused = np.setdiff1d(np.flatnonzero(decoded.kept), np.concatenate(list(rows.values())))
    if len(unused):
        notes["unused_images"] = len(unused)
        _warn_of_unused(listed, unused)
    called = np.array(classes.names_below([file.path for file in files], listed.root))
    whole = Split.of_images(decoded.images, labels, groups=listed.groups, names=called)
    splits = {name: whole.take(chosen) for name, chosen in rows.items()}
    unchosen = np.delete(called, np.concatenate(list(rows.values()))).tolist()
    left_out = [*unchosen, *classes.names_below(listed.left_out, listed.root)]
    return assemble(splits, names, str(listed.root), notes, reading.corrections, left_out)


def _warn_of_unused(listed: Listed, rows: np.ndarray) -> None:
    """Says which parts of the source no split has; a person may have taken them for the test split."""
    parts = Counter(np.full(len(rows), "images") if listed.parts is None else listed.parts[rows].tolist())
    _log.warning(
        "%s: in none of train, val and test are: %s. A part is used by its name, such as dataset.val=%s.",
        listed.root, ", ".join(f"{part} ({count:,} images)" for part, count in parts.items()), next(iter(parts)),
    )  # fmt: skip


def _choose_rows(
    listed: Listed, rows: dict[str, np.ndarray], val: SplitSpec, test: SplitSpec, seed: int
) -> dict[str, np.ndarray]:
    """Returns the row numbers of train, val and test, sorted."""
    if len(rows["train"]):
        rows = rows | draw_fractions(
            listed.labels, rows["train"], val, test, seed, listed.class_names, str(listed.root), listed.groups
        )
    empty = [name for name in ("train", "val", "test") if not len(rows.get(name, ()))]
    if empty:
        raise DataError(f"There are no usable images for {empty[0]}. {_CHECK}")
    return {name: rows[name] for name in ("train", "val", "test")}


def _check_classes(labels: np.ndarray, rows: dict[str, np.ndarray], names: tuple[str, ...]) -> None:
    for split in ("val", "test"):
        strange = np.setdiff1d(labels[rows[split]], labels[rows["train"]])
        if len(strange):
            raise DataError(
                f"Every class of the {split} split must have training images. Without any: "
                f"{', '.join(names[label] for label in strange)}."
            )
