"""Decoded arrays kept on disk between runs, one file for each key.

Called by the readers of data sets whose parsing takes seconds. An entry is an uncompressed `.npz`,
written under a temporary name and then renamed, so that two processes can write the same one. The key
must hold everything the arrays depend on; there is no expiry, and the folder may be deleted at any time.
Knows no data set.
"""

import csv
import hashlib
import io
import logging
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from fer_exp.data import csv_cells, stored_rows
from fer_exp.data.stored_rows import Rows
from fer_exp.process import folders

_log = logging.getLogger(__name__)


def load_or_build(
    cache_dir: str, key: str, build: Callable[[], dict[str, np.ndarray]]
) -> tuple[dict[str, np.ndarray], str | None]:
    """Returns the arrays of the entry `key`, building and storing them if there is none or it is damaged.

    Args:
        cache_dir: Folder of the entries, created when missing; `~` expands.
        key: Name of the entry, from `make_key`.
        build: Makes the arrays; what it raises passes through and stores nothing.

    Returns:
        The arrays, and why they could not be stored (None if they are). A folder that cannot be written costs
        time only, so it is a warning and not an error.
    """
    entry = Path(cache_dir).expanduser() / f"{key}.npz"
    arrays = _read(entry, key)
    if arrays is not None:
        return arrays, None
    arrays = build()
    return arrays, _write(entry, key, arrays)


def keep_list(cache_dir: str, kind: str, rows: Sequence[tuple[str, str]]) -> str | None:
    """Keeps a list of what a reader left out, however long, where a note can point at it.

    Args:
        cache_dir: Folder of the entries, created when missing; `~` expands.
        kind: How the file's name begins.
        rows: Name and reason of each thing.

    Returns:
        Path of a csv with the columns name and reason; None if it cannot be written, which costs the list only.
    """
    entry = Path(cache_dir).expanduser().absolute() / f"{make_key(kind, [f'{n}|{reason}' for n, reason in rows])}.csv"
    try:
        with folders.put(entry) as part, part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                [("name", "reason"), *([csv_cells.written(cell) for cell in row] for row in rows)]
            )
    except OSError as error:
        _log.warning("What was left out cannot be listed: %s (%s).", entry, error.strerror or error)
        return None
    return str(entry)


def make_key(name: str, parts: Iterable[str]) -> str:
    """Returns `<name>-<digest of the parts>`: the name of an entry."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
    return f"{name}-{digest.hexdigest()}"


def sha256_of_file(path: Path) -> str:
    """Returns the hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_arrays(arrays: Iterable[Rows]) -> str:
    """Returns the hex SHA-256 of the arrays' types, shapes and values, in order; of what lies on disk, bit by bit."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        for part in stored_rows.chunks(array):
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _read(entry: Path, key: str) -> dict[str, np.ndarray] | None:
    try:
        with zipfile.ZipFile(entry) as archive:
            if archive.comment != key.encode():
                raise ValueError("it belongs to another key")
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("it is packed, which no entry is")
            # `read` compares the checksum of the whole member before a byte of it is interpreted.
            members = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
        return {name: np.lib.format.read_array(io.BytesIO(data), allow_pickle=False) for name, data in members.items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile) as error:
        _log.warning("The cache entry %s is unusable and will be rebuilt: %s", entry, error)
        return None


def _write(entry: Path, key: str, arrays: dict[str, np.ndarray]) -> str | None:
    try:
        with folders.put(entry) as part, zipfile.ZipFile(part, "x") as archive:
            archive.comment = key.encode()
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
    except OSError as error:
        problem = f"not cached: {entry.parent} cannot be written ({error.strerror or error})"
        _log.warning("The data is %s. Every start will read it anew: free space there, or set cache_dir.", problem)
        return problem
    return None
