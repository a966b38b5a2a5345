"""Images in one folder for each class, with or without a folder for each split above: what there is, and where.

Called by the readers of such folders. Classes and splits are known by the name of their folder, never by its position.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_exp.data import image_formats
from fer_exp.data.emotions import EIGHT, canonical
from fer_exp.data.folders import listing, passed_over
from fer_exp.data.folders.listing import ImageFile
from fer_exp.errors import DataError

_SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development", "eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
    **{"publictest": "val", "privatetest": "test"},  # the parts of FER2013
}
_ADDED = ("", "set", "data", "images", "split")  # to a word: train_set, Test Data


@dataclass(frozen=True, slots=True)
class FolderImage:
    """An image file, and the folders it lies in.

    Attributes:
        file: The file.
        split: `train`, `val` or `test`; empty without split folders.
        folder: Name of the class folder, as spelled.
        within: Name of the split folder, as spelled; empty without split folders.
    """

    file: ImageFile
    split: str
    folder: str
    within: str = ""


def split_of(name: str) -> str | None:
    """Returns the split that a folder of that name means: `train`, `val` or `test`; None if it means none."""
    key = re.sub(r"[\W_]+", "", name.casefold())
    found = (_SPLIT_WORDS.get(key.removesuffix(added)) for added in _ADDED)
    return next((split for split in found if split is not None), None)


def find(root: Path) -> tuple[list[FolderImage], dict[str, Any]]:
    """Lists `<root>/<class>/**` or `<root>/<split>/<class>/**`, by name, and says what is left out.

    Args:
        root: The folder, without links in its path.

    Returns:
        The images, at least one, and what was passed over.

    Raises:
        DataError: If the folder is unreadable, laid out otherwise, or has a link out of it.
    """
    top = listing.entries(root, root)
    folders = [entry for entry in top if entry.is_dir()]
    by_split = _split_folders(folders, root)
    others = [entry.name for entry in folders if by_split and entry not in by_split.values()]
    outside = [entry.path for entry in top if not entry.is_dir()]
    pairs = [("", "", entry) for entry in folders] if not by_split else []
    for split, folder in sorted(by_split.items()):
        below = listing.entries(Path(folder.path), root)
        outside += [entry.path for entry in below if not entry.is_dir()]
        pairs += [(split, folder.name, entry) for entry in below if entry.is_dir()]
    found: list[FolderImage] = []
    ignored: list[str] = []
    for split, within, entry in pairs:
        images, other_files = listing.images(Path(entry.path), root)
        found += [FolderImage(image, split, entry.name, within) for image in images]
        ignored += other_files
    notes = passed_over.told(root, ignored, outside, others)
    if not found:
        raise DataError(
            f"{root} has no class folders with images ({', '.join(image_formats.endings()[:3])} ...). Expected "
            "<class>/*.jpg or <split>/<class>/*.jpg below it. Found folders: "
            f"{', '.join(e.name for e in folders) or 'none'}."
        )
    _check_depth(found, root)
    return found, notes


def glance(root: Path) -> None:
    """Looks for one image, and no further.

    Args:
        root: As of `find`.

    Raises:
        DataError: If there is none, as `find` says.
    """
    for above in listing.folders(root, root):
        for folder in (above, *listing.folders(Path(above.path), root)):
            if listing.has_image(Path(folder.path)):
                return
    find(root)


def _check_depth(found: Sequence[FolderImage], root: Path) -> None:
    """Refuses folders that are no classes, because the classes are the folders in them."""
    inner: dict[tuple[str, str], set[str]] = {}
    for image in found:
        below = image.file.path.removeprefix(os.path.join(root, image.within, image.folder, ""))
        first, inside, _ = below.partition(os.sep)
        inner.setdefault((image.within, image.folder), set()).add(first if inside else "")
    numbered = all(names and all(name.isdecimal() for name in names) for names in inner.values())
    for (within, folder), names in inner.items():
        if "" in names or canonical(folder) in EIGHT or (numbered and folder.isdecimal()):
            continue
        classes = ", ".join(sorted(names)[:3]) + (" ..." if len(names) > 3 else "")
        if all(canonical(name) in EIGHT for name in names) or (numbered and len(names) > 1):
            raise DataError(
                f"{root / within / folder} must be the folder of a class, or of a split, but the folders in it are "
                f"classes ({classes}). Split folders are called train, val or test, or by words such as training, "
                f"valid, dev, eval, train_set, PublicTest: rename it. If it holds all that is wanted: "
                f"dataset.path={root / within / folder}"
            )
        if len({canonical(name) for _, name in inner}) == 1:
            raise DataError(
                f"{root} must hold a folder for each class. It holds one, {folder}, with {classes} in it. If these are "
                f"the classes: dataset.path={root / within / folder}"
            )


def spelled_classes(found: Sequence[FolderImage]) -> dict[str, str]:
    """Returns each class by its canonical name, as the first folder spells it.

    Raises:
        DataError: If two folders mean the same class.
    """
    folder_of: dict[tuple[str, str], str] = {}
    for image in found:
        other = folder_of.setdefault((image.split, canonical(image.folder)), image.folder)
        if other != image.folder:
            where = f" in {image.split}" if image.split else ""
            raise DataError(f"The folders {other} and {image.folder}{where} mean the same class. Merge them.")
    return {key: folder for (_, key), folder in reversed(folder_of.items())}


def names_below(paths: Iterable[str], root: Path) -> list[str]:
    """Returns what images are called: their paths below the folder."""
    above = os.path.join(root, "")
    return [path.removeprefix(above) for path in paths]


def _split_folders(folders: Sequence[os.DirEntry[str]], root: Path) -> dict[str, os.DirEntry[str]]:
    found: dict[str, os.DirEntry[str]] = {}
    for entry in folders:
        split = split_of(entry.name)
        if split in found:
            raise DataError(f"{root}: {found[split].name} and {entry.name} both mean the {split} split. Merge them.")
        if split is not None:
            found[split] = entry
    return found
