"""How much a file of weights holds once it is unpacked: asked before anything of it is read.

Called by `recorded_model` and `imagenet`. A zip and the filters of HDF5 can make gigabytes of a megabyte; what Keras
itself writes is not packed at all. It must not know what the weights are for.
"""

import zipfile
from pathlib import Path
from typing import IO, Any

import h5py

_MOST_BYTES = 2**31
_LEAST_BYTES = 2**26  # below that nobody needs to ask
_MOST_TIMES = 4  # as large as the file
_CONFIG_BYTES = 2**24  # of what describes the network in a `.keras` file


def check(path: Path) -> None:
    """Refuses a `.keras` or HDF5 file that unpacks to far more than it is, or that reads other files.

    Args:
        path: An existing file.

    Raises:
        ValueError: If it does; the message says so.
        OSError, KeyError, RuntimeError, zipfile.BadZipFile: If it is damaged, or cannot be read.
    """
    most = min(_MOST_BYTES, max(_LEAST_BYTES, _MOST_TIMES * path.stat().st_size))
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _refuse_over(sum(member.file_size for member in members), most)
            for member in members:
                if member.filename.endswith(".json") and member.file_size > _CONFIG_BYTES:
                    _refuse_over(member.file_size, _CONFIG_BYTES)
                if member.filename.endswith(".h5"):
                    with archive.open(member) as file:
                        _check_hdf5(file, most)
    elif h5py.is_hdf5(path):
        with path.open("rb") as file:
            _check_hdf5(file, most)


def _check_hdf5(file: IO[bytes], most: int) -> None:
    with h5py.File(file, "r") as content:
        _refuse_over(_bytes_in(content, set()), most)


def _bytes_in(group: Any, visited: set[Any]) -> int:
    """Returns the bytes of all arrays in and below a group, as they are in memory."""
    if group.id in visited:
        return 0
    visited.add(group.id)
    total = 0
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
            raise ValueError(f"it takes {name} from another file")
        entry = group.get(name)
        if isinstance(entry, h5py.Group):
            total += _bytes_in(entry, visited)
        elif isinstance(entry, h5py.Dataset):
            if entry.external or entry.is_virtual:
                raise ValueError(f"it takes {name} from another file")
            total += entry.size * entry.dtype.itemsize if entry.size else 0
    return total


def _refuse_over(count: int, most: int) -> None:
    if count > most:
        raise ValueError(f"it unpacks to {count:,} bytes, more than {most:,}, which no network of its size needs")
