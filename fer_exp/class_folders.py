"""Images in one folder for each class, with or without a folder for each split above: what there is, and where.

Called by the readers of such folders. Classes and splits are known by the name of their folder, never by its position.
It decodes nothing and divides nothing.
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_exp.emotions import EMOTIONS
from fer_exp.errors import DataError

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Split that a folder of that name means, in lower case."""

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_ALIASES = {
    **{emotion: emotion for emotion in EMOTIONS},
    **{"anger": "angry", "disgusted": "disgust", "fearful": "fear", "happiness": "happy"},
    **{"sadness": "sad", "surprised": "surprise"},
}


@dataclass(frozen=True)
class FolderImage:
    """An image file, and the folders it lies in.

    Attributes:
        entry: The file.
        split: `train`, `val` or `test`; empty without split folders.
        folder: Name of the class folder, as spelled.
    """

    entry: os.DirEntry[str]
    split: str
    folder: str


def find(root: Path) -> tuple[list[FolderImage], dict[str, Any]]:
    """Lists `<root>/<class>/*` or `<root>/<split>/<class>/*`, by name.

    Args:
        root: The folder, without links in its path.

    Returns:
        The images, at least one, and what was passed over.

    Raises:
        DataError: If the folder is missing, unreadable, laid out otherwise, or has a link out of it.
    """
    if not root.is_dir():
        what = "a file" if root.exists() else "nothing there"
        raise DataError(f"`dataset.path` must be an existing folder. Received: {root} ({what}).")
    folders = [entry for entry in _entries(root, root) if entry.is_dir()]
    by_split: dict[str, os.DirEntry[str]] = {}
    for entry in folders:
        split = SPLIT_NAMES.get(entry.name.casefold())
        if split in by_split:
            raise DataError(f"{root}: {by_split[split].name} and {entry.name} both mean the {split} split. Merge them.")
        if split is not None:
            by_split[split] = entry
    notes: dict[str, Any] = {}
    ignored: Counter[str] = Counter()
    if by_split:
        others = [entry.name for entry in folders if entry not in by_split.values()]
        if others:
            notes["ignored_folders"] = others
        pairs = [(split, entry) for split in sorted(by_split) for entry in _entries(Path(by_split[split].path), root)]
    else:
        pairs = [("", entry) for entry in folders]
    found = []
    for split, entry in pairs:
        if entry.is_dir():
            found += _images_of_class(split, entry, root, ignored)
    if not found:
        raise DataError(
            f"{root} has no class folders with images ({', '.join(_SUFFIXES)}). Expected <class>/*.jpg or "
            f"<split>/<class>/*.jpg below it. Found folders: {', '.join(e.name for e in folders) or 'none'}."
        )
    if ignored:
        notes["ignored_files"] = ignored.total()
    return found, notes


def spelled_classes(found: Sequence[FolderImage]) -> dict[str, str]:
    """Returns each class by its key, as the first folder spells it.

    Raises:
        DataError: If two folders mean the same class.
    """
    folder_of: dict[tuple[str, str], str] = {}
    for image in found:
        other = folder_of.setdefault((image.split, class_key(image.folder)), image.folder)
        if other != image.folder:
            where = f" in {image.split}" if image.split else ""
            raise DataError(f"The folders {other} and {image.folder}{where} mean the same class. Merge them.")
    return {key: folder for (_, key), folder in reversed(folder_of.items())}


def class_key(name: str) -> str:
    """Returns what names of the same class have in common: `Happiness` -> `happy`."""
    return _ALIASES.get(name.casefold(), name.casefold())


def names_below(found: Iterable[FolderImage], root: Path) -> list[str]:
    """Returns what the images are called: their paths below the folder."""
    return [os.path.relpath(image.entry.path, root) for image in found]


def _images_of_class(split: str, folder: os.DirEntry[str], root: Path, ignored: Counter[str]) -> list[FolderImage]:
    found = []
    for entry in _entries(Path(folder.path), root):
        if entry.is_file() and entry.name.lower().endswith(_SUFFIXES):
            found.append(FolderImage(entry, split, folder.name))
        else:
            ignored[folder.name] += 1
    return found


def _entries(folder: Path, root: Path) -> list[os.DirEntry[str]]:
    """Lists a folder by name, without hidden entries and what macOS adds."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted((e for e in scan if not e.name.startswith((".", "__MACOSX"))), key=lambda e: e.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}. Check its permissions.") from error
    for entry in entries:
        if entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(root):
            raise DataError(f"{entry.path} is a link out of {root}. Copy what it points at, or remove it.")
    return entries
