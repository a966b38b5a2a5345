"""The decoded images of many files: read once, then taken from the cache.

Called by the readers of data sets that are folders of images. The key of an entry is made of the list of files with
their sizes and times of change, and of the options: a file that changes without either is not noticed. It knows neither
classes nor splits.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp import data_cache
from fer_exp.folders.listing import ImageFile
from fer_exp.image_files import decode_all
from fer_exp.image_rows import Images

# Raise this number with every change of how an image is decoded: it is part of the cache key.
_VERSION = "2"
_REPORTED_IMAGES = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoded:
    """Images of files.

    Attributes:
        images: uint8 (n, image_size, image_size, channels), one for each file, black where decoding failed.
        kept: bool (n,), False where decoding failed.
        notes: What is worth recording.
    """

    images: Images
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
) -> Decoded:
    """Returns the images of files, decoded or from the cache.

    Args:
        root: Folder they lie in, part of the key.
        files: The files.
        image_size: Height and width of the result in pixels; proportions are not kept.
        channels: 1 for grey, 3 for RGB.
        on_bad_image: `error` stops at the first file that cannot be decoded, `skip` leaves such files out.
        cache_dir: Folder of the cache.
        boxes: int (n, 4): x, y, width and height of what is taken of each image, in its pixels. None: all of it.
        option: What `on_bad_image` is called in the configuration of the data set, for the message.

    Raises:
        DataError: If a file cannot be decoded and `on_bad_image` is `error`.
    """
    options = [_VERSION, str(root), str(image_size), str(channels), on_bad_image]
    options += [] if boxes is None else [data_cache.sha256_of_arrays([boxes])]
    arrays, problem = data_cache.load_or_build(
        cache_dir,
        data_cache.make_key("images", [*options, *(f"{file.path}|{file.size}|{file.mtime_ns}" for file in files)]),
        lambda: decode_all([file.path for file in files], image_size, channels, on_bad_image, boxes, option),
    )
    notes: dict[str, Any] = {} if problem is None else {"cache": problem}
    bad = [file.path for file, kept in zip(files, arrays["kept"], strict=True) if not kept]
    if bad:
        notes |= {"skipped_images": len(bad), "first_skipped_images": bad[:_REPORTED_IMAGES]}
        _log.warning("%s: %d images cannot be decoded, skipped; the first: %s", root, len(bad), bad[0])
    return Decoded(arrays["pixels"], arrays["kept"], notes)
