"""The decoded images of many files: read once, then taken from the cache, however many there are.

Called by the readers of data sets that are folders of images. The key of an entry is made of the list of files with
their sizes and times of change, of the formats that are read, and of the options: a file that changes without any of
these is not noticed. `image_store` keeps the images and decides whether memory or the disk holds them. It knows neither
classes nor splits.
"""

import csv
import functools
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fer_exp.data import csv_cells, data_cache, image_formats, image_store
from fer_exp.data.faces import NO_FACE, FaceCrop
from fer_exp.data.folders.listing import ImageFile
from fer_exp.data.image_files import UNWANTED, decode_all
from fer_exp.data.image_store import Stored
from fer_exp.data.stored_rows import Rows
from fer_exp.reporting import terminal

# Raise this number with every change of how an image is decoded: it is part of the cache key.
_VERSION = "4"
REJECTED = "rejected_images.csv"
"""In the folder of an entry: what is left out of it, and why."""
_REPORTED_IMAGES = 5
_SILENT_SECONDS, _REFRESH_SECONDS = 2.0, 0.2
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoded:
    """Images of files.

    Attributes:
        images: uint8 (n, image_size, image_size, channels), one for each file, black where one is left out; in memory,
            or on disk if they are many.
        kept: bool (n,), False for those that are left out.
        notes: What is worth recording.
    """

    images: Rows
    kept: np.ndarray
    notes: Mapping[str, Any]


def decoded(
    root: Path,
    files: Sequence[ImageFile],
    image_size: int,
    channels: int,
    on_bad_image: Literal["error", "skip"],
    cache_dir: str,
    boxes: np.ndarray | None = None,
    option: str = "on_bad_image",
    face: FaceCrop | None = None,
) -> Decoded:
    """Returns the images of files, decoded or from the cache.

    Args:
        root: Folder they lie in, part of the key.
        files: The files, at least one.
        image_size: Height and width of the result in pixels; proportions are not kept.
        channels: 1 for grey, 3 for RGB.
        on_bad_image: `error` stops at the first file that cannot be decoded, `skip` leaves such files out.
        cache_dir: Folder of the cache.
        boxes: int (n, 4): x, y, width and height of what is taken of each image, in its pixels. None: all of it.
        option: What `on_bad_image` is called in the configuration of the data set, for the message.
        face: How the largest face of each image is cut out; images without one are left out. None: the whole image.

    Raises:
        DataError: If a file cannot be decoded and `on_bad_image` is `error`.
        StorageError: If the images can neither be kept in the cache nor be held in memory.
    """
    options = [_VERSION, str(root), str(image_size), str(channels), on_bad_image, image_formats.readable()]
    options += [] if boxes is None else [data_cache.sha256_of_arrays([boxes])]
    crop = None
    if face is not None:
        from fer_exp.data.faces import cropping

        options += [cropping.VERSION, str(face)]
        crop = functools.partial(cropping.cropped, how=face)
    key = data_cache.make_key("images", [*options, *(f"{f.path}|{f.size}|{f.mtime_ns}" for f in files)])
    with _progress(len(files)) as begin:

        def build(rows: range) -> tuple[np.ndarray, dict[int, str]]:
            paths = [file.path for file in files[rows.start : rows.stop]]
            own = None if boxes is None else boxes[rows.start : rows.stop]
            told = begin(rows.start)
            images, failures = decode_all(paths, image_size, channels, on_bad_image, own, option, crop, told)
            return images, {rows[place]: reason for place, reason in failures.items()}

        stored = image_store.load_or_build(cache_dir, key, (len(files), image_size, image_size, channels), build)
    kept = np.ones(len(files), bool)
    kept[list(stored.left_out)] = False
    return Decoded(stored.images, kept, _notes(root, files, stored))


def _notes(root: Path, files: Sequence[ImageFile], stored: Stored) -> dict[str, Any]:
    """Returns what is worth recording, and says what was left out; all of it is listed beside the images."""
    notes: dict[str, Any] = {} if stored.problem is None else {"cache": stored.problem}
    faceless = [files[row].path for row, reason in sorted(stored.left_out.items()) if reason == UNWANTED]
    bad = [files[row].path for row, reason in sorted(stored.left_out.items()) if reason != UNWANTED]
    if bad:
        notes |= {"skipped_images": len(bad), "first_skipped_images": bad[:_REPORTED_IMAGES]}
        _log.warning("%s: %d images cannot be decoded, skipped; the first: %s", root, len(bad), bad[0])
    if faceless:
        notes |= {"images_without_a_face": len(faceless), "first_without_a_face": faceless[:_REPORTED_IMAGES]}
        _log.warning(
            "%s: no face in %d of %d images, left out; the first: %s", root, len(faceless), len(files), faceless[0]
        )
    if stored.left_out and stored.folder is not None:
        notes["rejected_images"] = str(_write_rejected(stored.folder / REJECTED, root, files, stored.left_out))
    return notes


def _write_rejected(target: Path, root: Path, files: Sequence[ImageFile], left_out: Mapping[int, str]) -> Path:
    if not target.exists():
        above = os.path.join(root, "")
        rows = [
            (files[row].path.removeprefix(above), NO_FACE if reason == UNWANTED else reason)
            for row, reason in sorted(left_out.items())
        ]
        with target.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            csv.writer(file).writerows(
                [("name", "reason"), *([csv_cells.written(cell) for cell in row] for row in rows)]
            )
    return target


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], Callable[[], None]]]:
    """Shows how the decoding goes on: a bar on a terminal, and one line at the end if it took long.

    Yields:
        Begins to count behind so many images; returns what is told of each image.
    """
    console = terminal.opened(file=sys.stderr)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
    )
    bar = Progress("decoding images", *columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("", total=total, rate="")
    started, count, before, shown = 0.0, 0, 0, 0.0

    def begin(done: int) -> Callable[[], None]:
        nonlocal started, before
        if not started:
            started, before = time.perf_counter(), done
            bar.start()
        return advance

    def advance() -> None:
        nonlocal count, shown
        count, now = count + 1, time.perf_counter()
        if now - shown > _REFRESH_SECONDS:
            bar.update(task, completed=before + count, rate=f"{count / (now - started):,.0f} images/s")
            shown = now

    try:
        yield begin
    finally:
        bar.stop()
    seconds = time.perf_counter() - started
    if started and seconds > _SILENT_SECONDS:
        _log.info("%s images decoded in %.0f s: %s images/s", f"{count:,}", seconds, f"{count / seconds:,.0f}")
