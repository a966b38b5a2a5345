"""Folders walked with care: nothing outside the root, nothing hidden, each folder listed once.

Called by the readers of data sets that are folders. It must not know what the folders mean.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from fer_exp.data import image_formats
from fer_exp.errors import DataError

OUTWARD = re.compile(r"(?:^|/)\.\.(?:/|$)|^/|\\|\0")  # absolute, upwards, or of Windows


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file, and what tells whether it has changed.

    Attributes:
        path: Where it is.
        size: Bytes.
        mtime_ns: Time of the last change.
    """

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, entry: os.DirEntry[str]) -> "ImageFile":
        """Takes what a listing of a folder says."""
        stat = entry.stat()
        return cls(entry.path, stat.st_size, stat.st_mtime_ns)


@dataclass(frozen=True)
class Located:
    """Image files that a list names.

    Attributes:
        files: Those that are there, in the order of the list.
        present: bool (n,), which of the list these are.
    """

    files: list[ImageFile]
    present: np.ndarray


def root_of(path: str) -> Path:
    """Returns a folder without links on the way to it.

    Args:
        path: The option `dataset.path`; `~` expands.

    Raises:
        DataError: If it is none.
    """
    root = Path(os.path.realpath(Path(path).expanduser()))
    if not root.is_dir():
        what = "a file" if root.exists() else "nothing there"
        raise DataError(f"`dataset.path` must be an existing folder. Received: {root} ({what}).")
    return root


def entries(folder: Path, root: Path, ending: str = "") -> list[os.DirEntry[str]]:
    """Lists a folder by name, without hidden entries and what macOS adds.

    Args:
        folder: Below the root, or the root itself.
        root: Folder that links must not lead out of.
        ending: How the names end.

    Raises:
        DataError: If it cannot be read, or holds a link that leads out of the root.
    """
    try:
        with os.scandir(folder) as scan:
            seen = [e for e in scan if e.name.endswith(ending) and not e.name.startswith((".", "__MACOSX"))]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}. Check its permissions.") from error
    seen.sort(key=lambda entry: entry.name)
    for entry in seen:
        if entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(root):
            raise DataError(f"{entry.path} is a link out of {root}. Copy what it points at, or remove it.")
    return seen


def folders(folder: Path, root: Path) -> list[os.DirEntry[str]]:
    """Lists the folders in a folder, as `entries` does."""
    return [entry for entry in entries(folder, root) if entry.is_dir()]


def images(folder: Path, root: Path) -> tuple[list[ImageFile], list[str]]:
    """Lists the pictures in and below a folder: its own by name, then those of each folder in it.

    Returns:
        The pictures, and the paths of what else is there.

    Raises:
        DataError: If a folder cannot be read, or links lead out of the root, or to a folder that is read anyway.
    """
    pictures: list[ImageFile] = []
    others: list[str] = []
    waiting, read = [folder], {os.path.realpath(folder)}
    while waiting:
        inner = []
        for entry in entries(waiting.pop(), root):
            if entry.is_dir():
                place = os.path.realpath(entry.path)
                if place in read:
                    raise DataError(
                        f"{entry.path} would be read twice: it is a link, or a link leads to it. Remove the link."
                    )
                read.add(place)
                inner.append(Path(entry.path))
            elif entry.is_file() and image_formats.is_picture(entry.name):
                pictures.append(ImageFile.of(entry))
            else:
                others.append(entry.path)
        waiting += reversed(inner)
    return pictures, others


def has_image(folder: Path) -> bool:
    """Tells whether a folder holds an image, or cannot be read, which `entries` tells."""
    try:
        with os.scandir(folder) as scan:
            return any(image_formats.is_picture(entry.name) and not entry.name.startswith(".") for entry in scan)
    except OSError:
        return True


def find(root: Path, name: str) -> Path | None:
    """Returns the file or folder of a name in a root, or else in one of its folders; None if there is none.

    Raises:
        DataError: If there are several in its folders.
    """
    top = entries(root, root)
    if any(entry.name == name for entry in top):
        return root / name
    below = [
        Path(f.path) / name for f in top if f.is_dir() and any(e.name == name for e in entries(Path(f.path), root))
    ]
    if len(below) > 1:
        raise DataError(
            f"{root} holds {name} more than once: {below[0]} and {below[1]}. Give the folder of one of them."
        )
    return below[0] if below else None


def located(folder: Path, root: Path, paths: Sequence[str], on_missing: Literal["error", "skip"]) -> Located:
    """Finds the image files that a list names, listing each folder once.

    Args:
        folder: Folder that the list counts from.
        root: Folder that no path may lead out of.
        paths: Paths below the folder, with `/`.
        on_missing: `error` stops at a file that is not there, `skip` leaves it out.

    Raises:
        DataError: If a path leads out of the root, or a file is not there and `on_missing` is `error`.
    """
    outward = next((path for path in paths if OUTWARD.search(path)), None)
    if outward is not None:
        raise DataError(f"A list of images must name paths below {folder}. Received: {outward}.")
    rows_in: dict[str, list[int]] = {}
    for row, path in enumerate(paths):
        rows_in.setdefault(os.path.dirname(path), []).append(row)
    found: list[ImageFile | None] = [None] * len(paths)
    for name, rows in rows_in.items():
        held = _held(folder / name, root)
        for row in rows:
            entry = held.get(os.path.basename(paths[row]))
            found[row] = None if entry is None else ImageFile.of(entry)
    missing = [path for path, file in zip(paths, found, strict=True) if file is None]
    if missing and on_missing == "error":
        raise DataError(
            f"{folder / missing[0]} is not there ({len(missing):,} of {len(paths):,} images are missing). Unpack the "
            "images whole, or leave such images out: dataset.on_bad_image=skip"
        )
    return Located([file for file in found if file is not None], np.array([file is not None for file in found], bool))


def _held(folder: Path, root: Path) -> dict[str, os.DirEntry[str]]:
    """Returns the files of a folder by name; none if it is not there."""
    if not folder.is_dir():
        return {}
    if not Path(os.path.realpath(folder)).is_relative_to(root):
        raise DataError(f"{folder} is a link out of {root}. Copy what it points at, or remove it.")
    return {entry.name: entry for entry in entries(folder, root) if entry.is_file()}
