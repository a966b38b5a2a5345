"""AffectNet as given out since 2021: cropped faces, and beside them one NumPy file for each annotation.

Called by the option `affectnet`. It must not know what the expressions mean.

Source: http://mohammadmahoor.com/affectnet/.
"""

import functools
import io
import math
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp.data import data_cache, image_formats
from fer_exp.data.folders import listing
from fer_exp.data.folders.listing import ImageFile
from fer_exp.data.folders.watching import watched
from fer_exp.data.image_folders.affectnet import Annotations
from fer_exp.data.label_codes import AFFECTNET as CODES
from fer_exp.errors import DataError

SETS = ("train_set", "val_set")
_ENDING = "_exp.npy"
_FILE_BYTES = 4096  # thirty times the real ones
_MALFORMED = 255
_VERSION = "1"  # raise it with every change of how a file is read: it is part of the cache key


def read(home: Path, root: Path, on_bad_file: Literal["error", "skip"], cache_dir: str) -> Annotations:
    """Reads the annotations of both sets; the second time from the cache.

    Args:
        home: Folder of `train_set` and `val_set`.
        root: Folder of the data set.
        on_bad_file: `error` stops at the first malformed file, `skip` leaves such files out.
        cache_dir: Folder of the cache.

    Raises:
        DataError: If a folder is missing, or an annotation is malformed.
    """
    notes: dict[str, Any] = {"layout": "npy"}
    paths, codes, official_val, without = [], [], [], 0
    for name in SETS:
        files = [ImageFile.of(e) for e in listing.entries(home / name / "annotations", root, _ENDING)]
        if not files:
            raise DataError(f"{home / name}/annotations holds no files such as 0{_ENDING}.")
        key = data_cache.make_key(
            "affectnet", [_VERSION, on_bad_file, *(f"{file.path}|{file.size}|{file.mtime_ns}" for file in files)]
        )
        read_all = functools.partial(_codes, files, on_bad_file)
        arrays, problem = data_cache.load_or_build(cache_dir, key, read_all)
        notes |= {} if problem is None else {"cache": problem}
        stems = [Path(file.path).name.removesuffix(_ENDING) for file in files]
        names = [entry.name for entry in listing.entries(home / name / "images", root)]
        names.sort(key=lambda image: image.endswith(".jpg"))  # the release's own go before copies in other formats
        images = {Path(image).stem: image for image in names if image_formats.is_picture(image)}
        without += len(images.keys() - set(stems))
        paths.append(np.array([f"{name}/images/{images.get(s, f'{s}.jpg')}".encode() for s in stems], np.bytes_))
        codes.append(arrays["codes"])
        official_val.append(np.full(len(files), name == SETS[1]))
    whole = np.concatenate(codes)
    good = whole != _MALFORMED
    counts = {"malformed_annotations": int((~good).sum()), "images_without_annotation": without}
    notes |= {name: count for name, count in counts.items() if count}
    named = np.concatenate(paths)
    rejected = [(path.decode(), "malformed annotation") for path in named[~good].tolist()]
    chosen = {"paths": named[good], "codes": whole[good], "official_val": np.concatenate(official_val)[good]}
    return Annotations(home, **chosen, boxes=None, notes=notes, rejected=rejected)


def _codes(files: Sequence[ImageFile], on_bad_file: Literal["error", "skip"]) -> dict[str, np.ndarray]:
    codes = np.full(len(files), _MALFORMED, np.uint8)
    for row, file in enumerate(watched(files, "annotations read", total=len(files))):
        try:
            codes[row] = _code(file)
        except (OSError, ValueError, tokenize.TokenError) as error:  # the last of damaged headers
            if on_bad_file == "error":
                raise DataError(
                    f"{file.path} must hold one number from 0 to {len(CODES) - 1}: {error}. Replace it, or leave such "
                    "images out: dataset.on_bad_image=skip"
                ) from error
    return {"codes": codes}


def _code(file: ImageFile) -> int:
    """Reads a number, or a text that is one; nothing is unpickled, nothing is reserved that the file does not hold."""
    if file.size > _FILE_BYTES:
        raise ValueError(f"it has {file.size:,} bytes")
    with open(file.path, "rb") as opened:
        content = opened.read(_FILE_BYTES)
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"it is of version {version[0]}.{version[1]} of the format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in "iufSU" or math.prod(shape) != 1:
        raise ValueError(f"it holds an array of shape {shape} and type {dtype}")
    number = float(np.frombuffer(content, dtype, 1, stream.tell())[0])
    if number not in range(len(CODES)):
        raise ValueError(f"it holds {number:g}")
    return int(number)
