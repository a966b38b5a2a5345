"""Images in one folder for each class, with or without a folder for each split above: what there is, and where.

Called by the readers of such folders. Classes and splits are known by the name of their folder, never by its position.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_exp.data.folders import listing
from fer_exp.data.folders.listing import ImageFile
from fer_exp.emotions import canonical
from fer_exp.errors import DataError

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Split that a folder of that name means, in lower case."""


@dataclass(frozen=True, slots=True)
class FolderImage:
    """An image file, and the folders it lies in.

    Attributes:
        file: The file.
        split: `train`, `val` or `test`; empty without split folders.
        folder: Name of the class folder, as spelled.
    """

    file: ImageFile
    split: str
    folder: str


def find(root: Path) -> tuple[list[FolderImage], dict[str, Any]]:
    """Lists `<root>/<class>/*` or `<root>/<split>/<class>/*`, by name.

    Args:
        root: The folder, without links in its path.

    Returns:
        The images, at least one, and what was passed over.

    Raises:
        DataError: If the folder is unreadable, laid out otherwise, or has a link out of it.
    """
    folders = listing.folders(root, root)
    by_split = _split_folders(folders, root)
    notes: dict[str, Any] = {}
    if by_split:
        others = [entry.name for entry in folders if entry not in by_split.values()]
        if others:
            notes["ignored_folders"] = others
        pairs = [(split, e) for split in sorted(by_split) for e in listing.folders(Path(by_split[split].path), root)]
    else:
        pairs = [("", entry) for entry in folders]
    found: list[FolderImage] = []
    ignored = 0
    for split, entry in pairs:
        images, other_files = listing.images(Path(entry.path), root)
        found += [FolderImage(image, split, entry.name) for image in images]
        ignored += other_files
    if not found:
        raise DataError(
            f"{root} has no class folders with images ({', '.join(listing.SUFFIXES)}). Expected <class>/*.jpg or "
            f"<split>/<class>/*.jpg below it. Found folders: {', '.join(e.name for e in folders) or 'none'}."
        )
    if ignored:
        notes["ignored_files"] = ignored
    return found, notes


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
        split = SPLIT_NAMES.get(entry.name.casefold())
        if split in found:
            raise DataError(f"{root}: {found[split].name} and {entry.name} both mean the {split} split. Merge them.")
        if split is not None:
            found[split] = entry
    return found
