"""Kaggle's folder copy of FER2013: `train/<class>/Training_1.jpg`, `test/<class>/PrivateTest_2.jpg`.

Called by the data set `fer2013`. Its test folder is PublicTest and PrivateTest merged; the official part of an image is
told by how its file name begins, and where copies have other names, by the folder. Classes are told by name: folders
are in alphabetical order, the codes of the csv are not.
"""

import logging
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp.data import image_cache, image_rows
from fer_exp.data.fer2013_facts import OFFICIAL_COUNTS
from fer_exp.data.fer2013_source import Faces
from fer_exp.data.folders import classes
from fer_exp.data.folders.classes import FolderImage
from fer_exp.data.pixel_csv import IMAGE_SIZE, USAGES
from fer_exp.emotions import EMOTIONS, canonical
from fer_exp.errors import DataError

_PARTS = {"": "", "train": "Training", "val": "val", "test": "test"}  # what a folder alone says
_log = logging.getLogger(__name__)


def load(path: Path, on_bad_row: Literal["error", "skip"], cache_dir: str) -> tuple[Faces, dict[str, Any]]:
    """Reads the folder, or its cached arrays.

    Args:
        path: The folder that holds `train` and `test`.
        on_bad_row: Whether an image that cannot be decoded is an error, or left out and counted.
        cache_dir: Folder of the decoded arrays; `~` expands.

    Returns:
        The images, and what is worth recording about how they were read.

    Raises:
        DataError: If the folder is laid out otherwise, has other classes, or an image cannot be decoded.
    """
    root = Path(os.path.realpath(path))
    if not _has_folders(root):
        raise DataError(
            "`dataset.path` must be a csv of FER2013, or the folder that holds train/<class>/*.jpg and "
            f"test/<class>/*.jpg. Received a folder without folders: {root}."
        )
    found, notes = classes.find(root)
    labels = _labels(found, root)
    parts, misplaced = _parts(found)
    if misplaced:
        notes["misplaced_images"] = misplaced
        _log.warning(
            "%s: %d images lie in another folder than their names say (such as PublicTest_1.jpg in train): the names "
            "count.", root, misplaced,
        )  # fmt: skip
    files = [image.file for image in found]
    decoded = image_cache.decoded(root, files, IMAGE_SIZE, 1, on_bad_row, cache_dir, option="on_bad_row")
    names = np.array(classes.names_below([file.path for file in files], root))
    faces = Faces(decoded.images, labels, parts, names)
    if not decoded.kept.all():
        kept = decoded.kept
        faces = Faces(
            image_rows.take(decoded.images, kept), labels[kept], parts[kept], names[kept], names[~kept].tolist()
        )
    return faces, {**notes, **decoded.notes}


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


def _has_folders(root: Path) -> bool:
    try:
        with os.scandir(root) as entries:
            return any(entry.is_dir() for entry in entries)
    except OSError:
        return True  # it cannot be read, which `class_folders` says


def _labels(found: list[FolderImage], root: Path) -> np.ndarray:
    spelled = classes.spelled_classes(found)
    strange = [folder for key, folder in spelled.items() if key not in EMOTIONS]
    if strange:
        raise DataError(
            f"The class folders of FER2013 must be {', '.join(EMOTIONS)} (or names such as happiness). Received: "
            f"{root} with {', '.join(strange)}. Other classes are read with dataset=image_folder."
        )
    return np.array([EMOTIONS.index(canonical(image.folder)) for image in found], np.int64)


def _parts(found: list[FolderImage]) -> tuple[np.ndarray, int]:
    """Returns the part of each image, str (n,), and how many lie in a folder that contradicts their name."""
    parts, misplaced = [], 0
    for image in found:
        named = os.path.basename(image.file.path).partition("_")[0]
        parts.append(named if named in USAGES else _PARTS[image.split])
        misplaced += named in USAGES and image.split != "" and (named == "Training") != (image.split == "train")
    return np.array(parts), misplaced
