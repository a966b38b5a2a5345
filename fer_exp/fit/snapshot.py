"""The state of a training on disk: arrays and a little JSON in one file for each completed epoch.

Called by `training` after each epoch and when a run is continued. A file is written under a temporary name, flushed to
the disk and then renamed, and the one before it is kept until then: a kill at any moment costs at most one epoch.
It must not know Keras.
"""

import io
import json
import logging
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_exp.errors import StorageError
from fer_exp.process import folders

FOLDER = "snapshots"
KEPT = "kept"  # folder of the weights that are kept, beside it
_NAME = re.compile(r"after-epoch-(\d+)\.npz")
# Names in both folders, also of files whose writing was cut off.
_STATES = re.compile(r"(\.[0-9a-f]{8}\.|\.|partial-)?after-epoch-\d+\.(npz(\.partial)?|weights\.h5)")
_STATE = "state.json"
_DAMAGED = (
    *(OSError, ValueError, KeyError, EOFError, MemoryError, RecursionError, NotImplementedError),
    zipfile.BadZipFile,
)
_KEPT = 2  # files: the last one, and the one before it in case that cannot be read
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """What was read back.

    Attributes:
        epochs: Completed epochs.
        state: The JSON part, as it was given.
        arrays: The arrays, as they were given.
    """

    epochs: int
    state: dict[str, Any]
    arrays: list[np.ndarray]


def write(run: Path, key: str, epochs: int, state: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> None:
    """Writes the state after an epoch, and removes the files that are older than the one before it.

    Args:
        run: Folder of the run.
        key: What the state belongs to; `newest` refuses files with another one.
        epochs: Completed epochs, >= 1.
        state: What JSON can hold.
        arrays: Any shapes and types but objects.

    Raises:
        StorageError: If the disk is full or cannot be written; earlier files are left as they are.
    """
    folder = run / FOLDER
    target = folder / f"after-epoch-{epochs:06d}.npz"
    with explained(target), folders.put(target, durable=True) as part, part.open("wb") as file:
        _write_archive(file, key, state, arrays)
    for old in (*_files(run)[_KEPT:], *folder.glob(".*")):  # hidden: the writing of it was killed
        old.unlink(missing_ok=True)


def newest(run: Path, key: str) -> Snapshot | None:
    """Reads the last state that is whole; None if there is none.

    A file that is damaged or belongs to something else is named in a warning, and the one before it is taken.

    Args:
        run: Folder of the run.
        key: As given to `write`.
    """
    for path in _files(run):
        try:
            return _read(path, key)
        except _DAMAGED as error:
            _log.warning("The snapshot %s cannot be used and is passed over: %s", path, error)
    return None


def left_in(run: Path) -> list[Path]:
    """Returns the folders in that of a run which only serve to continue its training, if they are there.

    One that holds anything else is not among them: the record that names the folder of a run may come from anywhere.
    """
    return [run / name for name in (KEPT, FOLDER) if _is_state(run / name)]


def _is_state(folder: Path) -> bool:
    is_there = folder.is_dir() and not folder.is_symlink()
    return is_there and all(_STATES.fullmatch(entry.name) and entry.is_file() for entry in folder.iterdir())


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Says what is to be done where the state of a training cannot be written.

    Args:
        path: The file that is written inside.

    Raises:
        StorageError: In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"The state of the training cannot be kept: {path} cannot be written ({error.strerror or error}). What "
            "was kept before is whole: make room, and start the same command again to go on from there."
        ) from error


def _files(run: Path) -> list[Path]:
    """Returns the files of a run, newest first."""
    found = [path for path in (run / FOLDER).glob("*.npz") if _NAME.fullmatch(path.name)]
    return sorted(found, reverse=True)


def _write_archive(file: Any, key: str, state: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = key.encode()
        archive.writestr(_STATE, json.dumps(state))
        for index, array in enumerate(arrays):
            with archive.open(f"{index}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)


def _read(path: Path, key: str) -> Snapshot:
    with zipfile.ZipFile(path) as archive:
        if archive.comment != key.encode():
            raise ValueError("it belongs to another configuration or other data")
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("it is packed, which no snapshot is")
        state = json.loads(archive.read(_STATE))
        # `read` compares the checksum of the whole member before a byte of it is interpreted.
        members = [archive.read(f"{index}.npy") for index in range(len(archive.namelist()) - 1)]
    arrays = [np.lib.format.read_array(io.BytesIO(member), allow_pickle=False) for member in members]
    match = _NAME.fullmatch(path.name)
    return Snapshot(int(match.group(1)) if match else 0, state, arrays)
