"""Images in one folder for each class, with or without a folder for each split above.

Called through `config.build`. `folders.classes` finds `<root>/<class>/*` and `<root>/<split>/<class>/*`,
`image_folders` decodes and divides.
"""

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp.data.corrections import Corrections
from fer_exp.data.faces import FaceCrop
from fer_exp.data.folders import classes, listing
from fer_exp.data.folders.classes import SPLIT_NAMES, FolderImage
from fer_exp.data.fractions import SplitSpec
from fer_exp.data.image_folders.division import Listed, Reading, divided
from fer_exp.dataset import Splits
from fer_exp.emotions import EIGHT, canonical, misnamed
from fer_exp.errors import DataError
from fer_exp.signature import InputPath, NonNegativeFloat, NonNegativeInt, PositiveInt

_USAGE_PREFIXES = ("PublicTest", "PrivateTest")  # kept in the file names of FER2013's folder copies
_log = logging.getLogger(__name__)


def build(
    *,
    path: InputPath,
    val: SplitSpec,
    test: SplitSpec,
    image_size: PositiveInt,
    channels: Literal[1, 3],
    class_names: list[str] | None,
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
        path: Folder that holds class folders, or split folders (train, val, test) that hold class
            folders. `~` expands.
        val: Validation split: the name of a split folder, `PublicTest` or `PrivateTest` (how file names
            begin), or a stratified fraction of the training images, above 0 and below 1.
        test: Test split: the same choices as for `val`.
        image_size: Height and width every image is resized to, in pixels, at least 1; proportions are not
            kept.
        channels: 1 for grey, 3 for RGB.
        class_names: Names of the class folders in label order; null for the order of FER2013, contempt last, if all
            are expressions (or aliases such as `happiness`), else alphabetical.
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
    found, notes = classes.find(root)
    names, labels = _label(found, class_names)
    masks = _named_masks(found, val, test, root)
    notes |= _warn_of_misnamed(names, root) if class_names is None else {}
    notes |= _warn_of_merged(found, masks, root)
    listed = Listed(root, [image.file for image in found], labels, names, notes=notes)
    face = FaceCrop(face_margin, face_alignment) if faces == "haar" else None
    corrections = Corrections(exclude, relabel)
    reading = Reading(image_size, channels, on_bad_image, split_seed, corrections, cache_dir, face)
    return divided(listed, masks, val, test, reading)


def _label(found: Sequence[FolderImage], class_names: list[str] | None) -> tuple[tuple[str, ...], np.ndarray]:
    """Returns the class names in label order, and the label of each image, int64 (n,)."""
    spelled = classes.spelled_classes(found)
    if class_names is not None:
        names = tuple(class_names)
    elif all(key in EIGHT for key in spelled):
        names = tuple(emotion for emotion in EIGHT if emotion in spelled)
    else:
        names = tuple(sorted(spelled.values(), key=str.casefold))
    label_of = {canonical(name): label for label, name in enumerate(names)}
    if len(label_of) != len(names):
        raise DataError(f"`dataset.class_names` must not name a class twice. Received: {list(names)}.")
    unnamed = sorted(folder for key, folder in spelled.items() if key not in label_of)
    if unnamed:
        raise DataError(
            f"`dataset.class_names` must name every class folder. Received: {list(names)}; without: {unnamed}."
        )
    return names, np.array([label_of[canonical(image.folder)] for image in found], np.int64)


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
    begins = np.array([os.path.basename(image.file.path).partition("_")[0] for image in found])
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


def _named_masks(found: Sequence[FolderImage], val: SplitSpec, test: SplitSpec, root: Path) -> dict[str, np.ndarray]:
    """Returns bool (n,) for train and for each of val and test that is given by name."""
    splits = np.array([image.split for image in found])
    masks = {}
    for name, spec in (("val", val), ("test", test)):
        if not isinstance(spec, str):
            continue
        if spec in _USAGE_PREFIXES:
            mask = np.array([os.path.basename(image.file.path).startswith(f"{spec}_") for image in found])
        else:
            mask = splits == SPLIT_NAMES.get(spec.casefold(), spec)
        if SPLIT_NAMES.get(spec.casefold()) == "train":
            raise DataError(f"`dataset.{name}` must not be the images that are trained on. Received: {spec}.")
        if not mask.any():
            held = ", ".join(sorted(set(splits.tolist()) - {""})) or "none, only class folders"
            raise DataError(
                f"`dataset.{name}`={spec}: {root} has no such split. Split folders with images: {held}. A part of "
                f"the training images can serve: dataset.{name}=0.1"
            )
        masks[name] = mask
    if len(masks) == 2 and (masks["val"] & masks["test"]).any():
        raise DataError(
            f"`dataset.val` and `dataset.test` must be different images. Received: {val} and {test}. A part of "
            "the training images can serve: dataset.val=0.1"
        )
    train = (splits == "train") | (splits == "")
    return {"train": train & ~np.logical_or.reduce([np.zeros_like(train), *masks.values()]), **masks}
