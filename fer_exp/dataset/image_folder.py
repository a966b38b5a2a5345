"""Images in one folder for each class, with or without a folder for each split above.

Called through `config.build`. `folders.classes` finds `<root>/<class>/**` and `<root>/<split>/<class>/**`,
`image_folders` names the classes, decodes and divides.
"""

import logging
import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp.data.corrections import Corrections
from fer_exp.data.emotions import misnamed
from fer_exp.data.faces import FaceCrop
from fer_exp.data.folders import classes, listing
from fer_exp.data.folders.classes import FolderImage, split_of
from fer_exp.data.fractions import SplitSpec
from fer_exp.data.image_folders import naming
from fer_exp.data.image_folders.division import Listed, Reading, divided
from fer_exp.data.label_codes import Codes
from fer_exp.dataset import Splits
from fer_exp.errors import DataError
from fer_exp.signature import InputPath, NonNegativeFloat, NonNegativeInt, PositiveInt

_USUAL_VAL = 0.1  # of the training images, where there is no folder of validation images
_USAGE_PREFIXES = ("PublicTest", "PrivateTest")  # kept in the file names of FER2013's folder copies
_log = logging.getLogger(__name__)


def glance(*, path: str, **others: Any) -> None:
    """Refuses a folder without images; see the contract."""
    classes.glance(listing.root_of(path))


def build(
    *,
    path: InputPath,
    val: SplitSpec | None,
    test: SplitSpec,
    image_size: PositiveInt,
    channels: Literal[1, 3],
    class_names: list[str] | dict[str, str | None] | None,
    codes: Codes | None,
    faces: Literal["none", "haar"],
    face_margin: NonNegativeFloat,
    face_alignment: Literal["eyes", "none"],
    on_bad_image: Literal["error", "skip"],
    split_seed: NonNegativeInt,
    exclude: InputPath | None,
    relabel: InputPath | None,
    cache_dir: str,
) -> Splits:
    """Reads a folder of images and divides it.

    Args:
        path: Folder that holds class folders, or split folders (train, val, test, or words such as Training, dev, eval,
            test_set) that hold class folders. Pictures in folders of a class folder are of that class. `~` expands.
        val: Validation split: the name of a split folder, `PublicTest` or `PrivateTest` (such a folder, or how file
            names begin), or a stratified fraction of the training images, above 0 and below 1; null for the folder of
            validation images, or a tenth of the training images where there is none.
        test: Test split: the same choices but null.
        image_size: Height and width every image is resized to, in pixels, at least 1; proportions are not
            kept.
        channels: 1 for grey, 3 for RGB.
        class_names: Names of the class folders in label order; or the class of each folder, as {folder: class} or
            ['folder=class', ...], null for folders that are left out; null for the order of FER2013, contempt last, if
            all are expressions (or aliases such as `happiness`), else alphabetical.
        codes: What class folders that are numbers mean: those of `affectnet`, `ckextended`, `ckplus`, `fer2013`,
            `ferplus` or `rafdb`; null if they are named.
        faces: Either `none` (every image is a face) or `haar` (images are photos: the largest face that is found is cut
            out, and photos without one are left out, counted and listed).
        face_margin: What is added to each side of a face, as a share of its width, at least 0.
        face_alignment: Either `eyes` (a face is turned until its eyes are level, where both are found) or `none`.
        on_bad_image: Either `error` (the first image that cannot be decoded stops the run) or `skip`
            (such images are left out and counted).
        split_seed: Seed of the stratified fractions, at least 0.
        exclude: CSV with a column `name`: images of train and val to leave out; null for none.
        relabel: CSV with the columns `name` and `label`: images of train and val to label anew; null for none.
        cache_dir: Folder that keeps the decoded arrays between runs; may be deleted at any time. `~` expands.

    Raises:
        DataError: If the folder is missing, unreadable or laid out otherwise, an image cannot be decoded, or the
            splits that are asked for are not in it.
    """
    root = listing.root_of(path)
    everything, notes = classes.find(root)
    named = naming.named(everything, class_names, codes, root)
    found, names = named.found, named.class_names
    val = _usual_val(found, test) if val is None else val
    masks = _named_masks(found, val, test, root)
    _check_test_folder(found, masks, val, test, root)
    notes |= named.notes
    notes |= _warn_of_misnamed(names, root) if class_names is None else {}
    notes |= _warn_of_merged(found, masks, root)
    parts = np.array([_usage(image) if _usage(image) in _USAGE_PREFIXES else image.within for image in found])
    files = [image.file for image in found]
    listed = Listed(root, files, named.labels, names, notes=notes, left_out=named.left_out, parts=parts)
    face = FaceCrop(face_margin, face_alignment) if faces == "haar" else None
    corrections = Corrections(exclude, relabel)
    reading = Reading(image_size, channels, on_bad_image, split_seed, corrections, cache_dir, face)
    return divided(listed, masks, val, test, reading)


def _usual_val(found: Sequence[FolderImage], test: SplitSpec) -> SplitSpec:
    """Returns the folder of validation images, or a fraction where there is none, or where it is the test split."""
    is_test = isinstance(test, str) and split_of(test) == "val"
    return "val" if not is_test and any(image.split == "val" for image in found) else _USUAL_VAL


def _warn_of_misnamed(names: Sequence[str], root: Path) -> dict[str, Any]:
    """Says that a folder is probably an expression misspelled, for which all classes lose their usual names and order.

    Returns:
        What is worth recording.
    """
    meant = misnamed(names)
    if not meant:
        return {}
    _log.warning(
        "%s: is the class folder %s? One class that is no expression leaves all classes with the names and the "
        "alphabetical order of their folders, so that models of other data do not fit. Rename it, or name the classes "
        "by dataset.class_names if it is meant so.",
        root, ", and ".join(f"{name} meant to be {expression}" for name, expression in meant.items()),
    )  # fmt: skip
    return {"misnamed_classes": meant}


def _warn_of_merged(found: Sequence[FolderImage], masks: Mapping[str, np.ndarray], root: Path) -> dict[str, Any]:
    """Says that parts of FER2013, known by how the file names begin, are one split here.

    Args:
        found: The images.
        masks: From `_named_masks`.
        root: The folder, for the message.

    Returns:
        What is worth recording: images of each part, by split.
    """
    begins = np.array([_usage(image) for image in found])
    is_part = np.isin(begins, ("Training", *_USAGE_PREFIXES))
    counts = {name: dict(Counter(begins[mask & is_part].tolist())) for name, mask in masks.items()}
    merged = {name: parts for name, parts in counts.items() if len(parts) > 1}
    if not merged:
        return {}
    shown = "; ".join(
        f"{name} has {' and '.join(f'{count:,} of {part}' for part, count in parts.items())}"
        for name, parts in merged.items()
    )
    _log.warning(
        "%s: the file names are those of FER2013, whose parts are merged here: %s. Numbers do not compare with "
        "published ones, which are on PrivateTest alone. Its own division: dataset=fer2013 with the same dataset.path, "
        "or dataset.val=PublicTest dataset.test=PrivateTest.",
        root, shown,
    )  # fmt: skip
    return {"merged_usages": merged}


def _usage(image: FolderImage) -> str:
    """Returns how the name of a file begins: in copies of FER2013 the part that it is of."""
    return os.path.basename(image.file.path).partition("_")[0]


def _named_masks(found: Sequence[FolderImage], val: SplitSpec, test: SplitSpec, root: Path) -> dict[str, np.ndarray]:
    """Returns bool (n,) for train and for each of val and test that is given by name."""
    splits = np.array([image.split for image in found])
    masks = {}
    for name, spec in (("val", val), ("test", test)):
        if not isinstance(spec, str):
            continue
        if split_of(spec) == "train":
            raise DataError(f"`dataset.{name}` must not be the images that are trained on. Received: {spec}.")
        masks[name] = _named(found, splits, spec)
        if not masks[name].any():
            held = ", ".join(sorted({image.within for image in found} - {""})) or "none, only class folders"
            raise DataError(
                f"`dataset.{name}`={spec}: {root} has no such split. Split folders with images: {held}. A part of "
                f"the training images can serve: dataset.{name}=0.1"
            )
    if len(masks) == 2 and (masks["val"] & masks["test"]).any():
        raise DataError(
            f"`dataset.val` and `dataset.test` must be different images. Received: {val} and {test}. A part of "
            "the training images can serve: dataset.val=0.1"
        )
    train = (splits == "train") | (splits == "")
    return {"train": train & ~np.logical_or.reduce([np.zeros_like(train), *masks.values()]), **masks}


def _named(found: Sequence[FolderImage], splits: np.ndarray, spec: str) -> np.ndarray:
    """Returns which images are of a split, bool (n,): by the folder's own name, what it means, or the files' names."""
    own = np.array([image.within.casefold() == spec.casefold() for image in found])
    if spec in _USAGE_PREFIXES:
        return own | np.array([_usage(image) == spec for image in found])
    return own if own.any() else splits == (split_of(spec) or spec)


def _check_test_folder(
    found: Sequence[FolderImage], masks: Mapping[str, np.ndarray], val: SplitSpec, test: SplitSpec, root: Path
) -> None:
    """Refuses a fraction as test split that would pass over the test images which the folder holds."""
    left = [
        image.within
        for image, is_val in zip(found, masks.get("val", np.zeros(len(found), bool)).tolist(), strict=True)
        if image.split == "test" and not is_val
    ]
    if isinstance(test, str) or not left:
        return
    named = _USAGE_PREFIXES[1] if val == _USAGE_PREFIXES[0] else "test"
    train = next((image.within for image in found if image.split == "train"), None)
    alone = (
        f" Or draw from the folder {train} alone: dataset.path={shlex.quote(str(root / train))} dataset.val={val} "
        f"dataset.test={test}"
        if train and isinstance(val, float)
        else ""
    )
    raise DataError(
        f"`dataset.test`={test} would pass over the folder {left[0]} of {root}, a test split of {len(left):,} images. "
        f"Test on it: dataset.path={shlex.quote(str(root))} dataset.val={val} dataset.test={named}.{alone}"
    )
