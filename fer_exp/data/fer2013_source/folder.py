"""Folder copies of FER2013: Kaggle's `train/<class>/Training_1.jpg`, or `PublicTest/<class>/*` of scripts.

Called by the data set `fer2013`. Kaggle's test folder is PublicTest and PrivateTest merged; the official part of an
image is told by how its file name begins, and where copies have other names, by the folder. Classes are told by name,
since folders are in alphabetical order and the codes of the csv are not, or by these codes.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp.data import image_cache, label_codes, stored_rows
from fer_exp.data.emotions import canonical
from fer_exp.data.fer2013_facts import OFFICIAL_COUNTS
from fer_exp.data.fer2013_source import Faces
from fer_exp.data.folders import classes
from fer_exp.data.folders.classes import FolderImage
from fer_exp.data.pixel_csv import IMAGE_SIZE, USAGES
from fer_exp.errors import DataError

_PARTS = {"": "", "train": "Training", "val": "val", "test": "test"}  # what a folder alone says
_OWN = {usage.casefold(): usage for usage in USAGES}  # folders that are called as the parts are
_log = logging.getLogger(__name__)


def load(
    path: Path, names: Sequence[str], on_bad_row: Literal["error", "skip"], cache_dir: str
) -> tuple[Faces, dict[str, Any]]:
    """Reads the folder, or its cached arrays.

    Args:
        path: The folder that holds `train` and `test`.
        names: The classes in the order of the codes, seven, or eight with contempt.
        on_bad_row: Whether an image that cannot be decoded is an error, or left out and counted.
        cache_dir: Folder of the decoded arrays; `~` expands.

    Returns:
        The images, and what is worth recording about how they were read.

    Raises:
        DataError: If the folder is laid out otherwise, has other classes, or an image cannot be decoded.
    """
    root = _root(path)
    found, notes = classes.find(root)
    labels = _labels(found, names, root)
    parts, misplaced = _parts(found)
    if misplaced:
        notes["misplaced_images"] = misplaced
        _log.warning(
            "%s: %d images lie in another folder than their names say (such as PublicTest_1.jpg in train): the names "
            "count.", root, misplaced,
        )  # fmt: skip
    files = [image.file for image in found]
    decoded = image_cache.decoded(root, files, IMAGE_SIZE, 1, on_bad_row, cache_dir, option="on_bad_row")
    called = np.array(classes.names_below([file.path for file in files], root))
    faces = Faces(decoded.images, labels, parts, called)
    if not decoded.kept.all():
        kept = decoded.kept
        faces = Faces(
            stored_rows.take(decoded.images, kept), labels[kept], parts[kept], called[kept], called[~kept].tolist()
        )
    return faces, {**notes, **decoded.notes}


def glance(path: Path) -> None:
    """Looks for one image, and no further.

    Raises:
        DataError: If there is none, as `load` says.
    """
    classes.glance(_root(path))


def warn_of_merged(parts: np.ndarray, rows: np.ndarray, root: Path) -> dict[str, Any]:
    """Says that a test split is a folder whose file names do not tell the official parts.

    Args:
        parts: str (n,), see `Faces`.
        rows: Row numbers of the test split.
        root: The folder, for the message.

    Returns:
        What is worth recording.
    """
    if not np.isin(parts[rows], ("val", "test")).any():
        return {}
    both = sum(sum(OFFICIAL_COUNTS[usage].values()) for usage in USAGES[1:])
    what = f", as many as PublicTest and PrivateTest have together ({both:,})" if len(rows) == both else ""
    _log.warning(
        "%s: the file names do not tell PublicTest from PrivateTest. The test split is the folder `%s` as it is: %s "
        "images%s. Its numbers do not compare with published ones, which are on PrivateTest alone.",
        root, parts[rows[0]], f"{len(rows):,}", what,
    )  # fmt: skip
    return {"merged_test_images": len(rows)}


def _root(path: Path) -> Path:
    root = Path(os.path.realpath(path))
    if not _has_folders(root):
        raise DataError(
            "`dataset.path` must be a csv of FER2013, or the folder that holds train/<class>/*.jpg and "
            "test/<class>/*.jpg, or Training/<class>, PublicTest/<class> and PrivateTest/<class>. Received a folder "
            f"without folders: {root}."
        )
    return root


def _has_folders(root: Path) -> bool:
    try:
        with os.scandir(root) as entries:
            return any(entry.is_dir() for entry in entries)
    except OSError:
        return True  # it cannot be read, which `class_folders` says


def _labels(found: list[FolderImage], names: Sequence[str], root: Path) -> np.ndarray:
    spelled = classes.spelled_classes(found)
    if all((code := label_codes.number(folder)) is not None and code < len(names) for folder in spelled.values()):
        return np.array([int(image.folder) for image in found], np.int64)
    strange = [folder for key, folder in spelled.items() if key not in names]
    if strange:
        raise DataError(
            f"The class folders of FER2013 must be {', '.join(names)} (or names such as happiness), or the codes 0 "
            f"to {len(names) - 1} of its csv. Received: {root} with {', '.join(strange)}. Other classes are read "
            f"with dataset=image_folder{label_codes.advice(list(spelled.values()))}."
        )
    return np.array([names.index(canonical(image.folder)) for image in found], np.int64)


def _parts(found: list[FolderImage]) -> tuple[np.ndarray, int]:
    """Returns the part of each image, str (n,), and how many lie in a folder that contradicts their name."""
    parts, misplaced = [], 0
    for image in found:
        named = os.path.basename(image.file.path).partition("_")[0]
        own = _OWN.get(image.within.casefold(), _PARTS[image.split])
        parts.append(named if named in USAGES else own)
        misplaced += named in USAGES and image.split != "" and (named == "Training") != (image.split == "train")
    return np.array(parts), misplaced
