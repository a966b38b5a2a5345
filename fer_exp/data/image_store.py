"""Images of one size on disk: written chunk by chunk, whole or not there, given as memory or as rows of a file.

Called by `image_cache`. An entry is a folder with `images.npy`, which any NumPy reads, and `chunks.jsonl`, a line for
each chunk with its checksum. It is made under another name and renamed when it is whole, so a process that is killed
leaves nothing that could be taken for an entry, and the next one goes on behind the last chunk. It knows neither files
nor classes.
"""

import io
import json
import logging
import math
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from filelock import FileLock, Timeout

from fer_exp.data.stored_rows import Rows, StoredRows
from fer_exp.errors import StorageError

IN_MEMORY_BYTES = 2**30
"""Images that take no more than this are read into memory at once."""
_COPIES = 4  # in memory: all, those of each split, those that TensorFlow holds, and room for the rest
_CHUNK_BYTES = 2**24
_PIXELS, _CHUNKS = "images.npy", "chunks.jsonl"
_log = logging.getLogger(__name__)

Build = Callable[[range], tuple[np.ndarray, dict[int, str]]]
"""Row numbers -> their images, uint8 (rows, height, width, channels), and why those that are left out are.

It raises no OSError: that is how the disk says that it takes no more.
"""


@dataclass(frozen=True)
class Stored:
    """Images, from disk or made just now.

    Attributes:
        images: uint8 (n, height, width, channels), black where one is left out.
        left_out: Why, for each row that is.
        folder: Where they are kept; None if they could not be.
        problem: Why not.
    """

    images: Rows
    left_out: dict[int, str]
    folder: Path | None
    problem: str | None = None


@dataclass
class _Written:
    """What is known of chunks: rows that they hold, a checksum of each, and what is left out."""

    stops: list[int] = field(default_factory=list)
    checksums: list[int] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return self.stops[-1] if self.stops else 0

    def add(self, line: str) -> None:
        entry = json.loads(line)
        self.stops.append(int(entry["stop"]))
        self.checksums.append(int(entry["crc32"]))
        self.left_out |= {int(row): str(reason) for row, reason in entry["left_out"].items()}


def held_in_memory(size: int) -> bool:
    """Decides whether so many bytes of images are read into memory, or stay on disk; the images are the same.

    In memory is at most 1 GiB, and only if four times as much is free.
    """
    return size <= IN_MEMORY_BYTES and _fits(size)


def _fits(size: int) -> bool:
    return _COPIES * size <= psutil.virtual_memory().available


def load_or_build(cache_dir: str, key: str, shape: tuple[int, int, int, int], build: Build) -> Stored:
    """Returns the images of the entry `key`, making them if there is none or it is damaged.

    Args:
        cache_dir: Folder of the entries, created when missing; `~` expands.
        key: Name of the entry, which holds everything the images depend on.
        shape: (n, height, width, channels), n >= 1.
        build: Makes the images of a chunk; what it raises passes through, and nothing is kept then.

    Raises:
        StorageError: If the images can neither be kept on disk nor be held in memory.
    """
    folder = Path(cache_dir).expanduser() / key
    found = _opened(folder, shape)
    if found is not None:
        return found
    try:
        _make(folder, shape, build)
        found = _opened(folder, shape)
    except _UnwritableError as error:
        return _without_disk(folder.parent, str(error), shape, build)
    if found is None:
        raise StorageError(f"`cache_dir` must keep what is written to it. Received: {folder} is damaged at once.")
    return found


class _UnwritableError(Exception):
    """The disk takes no more."""


def _without_disk(cache: Path, reason: str, shape: tuple[int, int, int, int], build: Build) -> Stored:
    problem, size = f"not cached: {cache} cannot be written ({reason})", math.prod(shape)
    if not _fits(size):
        raise StorageError(
            f"`cache_dir` must have room for {size / 1e9:,.1f} GB of decoded images, which do not fit into memory. "
            f"Received: {cache} ({reason}). Free space there, or set cache_dir=<a folder on another disk>."
        )
    _log.warning("The data is %s. Every start will read it anew: free space there, or set cache_dir.", problem)
    parts, left_out = [], dict[int, str]()
    for rows in _chunks(shape, 0):
        pixels, reasons = build(rows)
        parts.append(pixels)
        left_out |= reasons
    return Stored(np.concatenate(parts), left_out, None, problem)


def _chunks(shape: tuple[int, int, int, int], first: int) -> list[range]:
    step = max(1, _CHUNK_BYTES // math.prod(shape[1:]))
    return [range(start, min(start + step, shape[0])) for start in range(first, shape[0], step)]


def _make(folder: Path, shape: tuple[int, int, int, int], build: Build) -> None:
    """Makes an entry, or waits for the process that is making it."""
    part = folder.with_name(f".{folder.name}.part")
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _log.info("Another process is decoding the same images: waiting for it.")
            lock.acquire()
        try:
            if _opened(folder, shape) is None:
                _fill(part, folder, shape, build)
        except Exception:
            shutil.rmtree(part, ignore_errors=True)  # it would fail again, and the disk may be full of it
            raise
        finally:
            lock.release()
    except (OSError, NotImplementedError) as error:  # the latter where a file system has no locks
        raise _UnwritableError(str(getattr(error, "strerror", None) or error)) from error


def _fill(part: Path, folder: Path, shape: tuple[int, int, int, int], build: Build) -> None:
    """Writes what is missing of the unfinished entry, and gives it its name."""
    header, image_bytes = _header(shape), math.prod(shape[1:])
    part.mkdir(exist_ok=True)
    done = _resumable(part, header, shape)
    _check_room(part, (shape[0] - done.rows) * image_bytes)
    with (part / _PIXELS).open("r+b") as pixels, (part / _CHUNKS).open("a", encoding="utf-8") as chunks:
        pixels.truncate(len(header) + done.rows * image_bytes)
        pixels.seek(0, io.SEEK_END)
        for rows in _chunks(shape, done.rows):
            images, left_out = build(rows)
            data = np.ascontiguousarray(images).data
            pixels.write(data)
            pixels.flush()
            line = json.dumps({"stop": rows.stop, "crc32": zlib.crc32(data), "left_out": left_out})
            chunks.write(line + "\n")
            chunks.flush()
    shutil.rmtree(folder, ignore_errors=True)  # damaged
    part.rename(folder)


def _header(shape: tuple[int, int, int, int]) -> bytes:
    stream = io.BytesIO()
    description = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, description)
    return stream.getvalue()


def _resumable(part: Path, header: bytes, shape: tuple[int, int, int, int]) -> _Written:
    """Returns which chunks of an unfinished entry are sound, the lines of the others being removed."""
    pixels, chunks = part / _PIXELS, part / _CHUNKS
    done = _Written()
    lines = chunks.read_text(encoding="utf-8").splitlines() if chunks.exists() and pixels.exists() else []
    sound = []
    if lines:
        with pixels.open("rb") as file:
            if file.read(len(header)) != header:
                lines = []
            for line in lines:
                tried = _Written()
                try:
                    tried.add(line)
                except (ValueError, KeyError, AttributeError):  # the line that was being written
                    break
                data = file.read((tried.rows - done.rows) * math.prod(shape[1:]))
                if zlib.crc32(data) != tried.checksums[0]:
                    break
                done.add(line)
                sound.append(line + "\n")
    if not sound:
        pixels.write_bytes(header)
    chunks.write_text("".join(sound), encoding="utf-8")
    if done.rows:
        _log.info("%s of %s images were decoded before: going on from there", f"{done.rows:,}", f"{shape[0]:,}")
    return done


def _check_room(part: Path, missing: int) -> None:
    free = shutil.disk_usage(part).free
    if free < missing:
        raise OSError(f"{free / 1e9:,.1f} GB are free of the {missing / 1e9:,.1f} GB needed")


def _opened(folder: Path, shape: tuple[int, int, int, int]) -> Stored | None:
    """Returns a whole entry: in memory and compared with its checksums, or as rows of the file."""
    if not folder.exists():
        return None
    try:
        written = _Written()
        for line in (folder / _CHUNKS).read_text(encoding="utf-8").splitlines():
            written.add(line)
        images: Any = np.load(folder / _PIXELS, mmap_mode="r", allow_pickle=False)
        if written.rows != shape[0] or images.shape != shape or images.dtype != np.uint8:
            raise ValueError("it does not hold what it should")
        if not held_in_memory(images.nbytes):
            return Stored(StoredRows(images), written.left_out, folder)
        images = np.array(images)
        for start, stop, checksum in zip([0, *written.stops], written.stops, written.checksums, strict=False):
            if zlib.crc32(images[start:stop]) != checksum:
                raise ValueError(f"the checksum of rows {start} to {stop} is another")
    except (OSError, ValueError, KeyError, AttributeError, EOFError) as error:
        _log.warning("The cache entry %s is unusable and will be rebuilt: %s", folder, error)
        return None
    return Stored(images, written.left_out, folder)
