"""Image files decoded, and fitted into arrays of one size.

Called by `image_cache` and by whatever opens pictures. It knows neither classes nor splits.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from fer_exp.errors import DataError

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")  # nothing else is opened, whatever the name of the file says
UNWANTED = "there is nothing in it that is wanted"
UNDECODABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    Image.DecompressionBombError,
)  # all that Pillow raises


def decode_all(
    paths: Sequence[str],
    image_size: int,
    channels: int,
    on_bad_image: Literal["error", "skip"],
    boxes: np.ndarray | None = None,
    option: str = "on_bad_image",
    crop: Callable[[Image.Image], Image.Image | None] | None = None,
    advance: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, dict[int, str]]:
    """Decodes image files side by side.

    Args:
        paths: The files.
        image_size: Height and width of the result in pixels; proportions are not kept.
        channels: 1 for grey, 3 for RGB.
        on_bad_image: `error` stops at the first file that cannot be decoded, `skip` leaves it black.
        boxes: int (n, 4): x, y, width and height of what is taken of each image, in its pixels. None: all of it.
        option: What `on_bad_image` is called in the configuration of the data set, for the message.
        crop: Cuts out of an upright image what is wanted; an image of which it returns None is left out.
        advance: Told of every file that is done.

    Returns:
        uint8 (n, image_size, image_size, channels), and of each file that is left out its place and why;
        `UNWANTED` if it was decoded.

    Raises:
        DataError: If a file cannot be decoded and `on_bad_image` is `error`.
    """
    pixels = np.zeros((len(paths), image_size, image_size, channels), np.uint8)
    failures: dict[int, str] = {}

    def decode(row: int) -> Exception | str | None:
        try:
            image = upright(paths[row], channels)
            if boxes is not None:
                image = _boxed(image, boxes[row])
            wanted = image if crop is None else crop(image)
            if wanted is None:
                return UNWANTED
            pixels[row] = fitted(wanted, (image_size, image_size, channels))
        except UNDECODABLE as error:
            return error
        return None

    with ThreadPoolExecutor() as pool:  # Pillow decodes and resizes outside the interpreter lock
        for row, problem in enumerate(pool.map(decode, range(len(paths)))):
            advance()
            if problem is None:
                continue
            failures[row] = str(problem)
            if on_bad_image == "error" and isinstance(problem, Exception):
                pool.shutdown(wait=False, cancel_futures=True)
                raise DataError(
                    f"{paths[row]} cannot be decoded: {problem}. Replace it, or leave such images out: "
                    f"dataset.{option}=skip"
                ) from problem
    return pixels, failures


def upright(path: Path | str, channels: int) -> Image.Image:
    """Decodes an image file in its own size, turned as its EXIF says.

    Args:
        path: The file.
        channels: 1 for grey, 3 for RGB.

    Raises:
        UNDECODABLE: If it is no image of the formats that are opened, is damaged, has more than 8 bits a channel, or
            more pixels than Pillow's limit.
    """
    try:
        opened = Image.open(path, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise ValueError(_too_large("its")) from error
    with opened as image:
        # Pillow itself refuses only twice this number, and merely warns below that.
        if Image.MAX_IMAGE_PIXELS is not None and image.width * image.height > Image.MAX_IMAGE_PIXELS:
            raise ValueError(_too_large(f"{image.width}x{image.height}"))
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"it has more than 8 bits a channel (mode {image.mode})")
        return ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")


def _too_large(pixels: str) -> str:
    return f"{pixels} pixels are more than {Image.MAX_IMAGE_PIXELS:,}"


def _boxed(image: Image.Image, box: np.ndarray) -> Image.Image:
    """Returns the part of a box (x, y, width, height) that lies in the image."""
    x, y, width, height = (int(number) for number in box)
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, image.width), min(y + height, image.height)
    if right <= left or bottom <= top:
        raise ValueError(f"the box {width}x{height} at ({x}, {y}) lies outside its {image.width}x{image.height} pixels")
    return image.crop((left, top, right, bottom))


def fitted(image: Image.Image, shape: tuple[int, int, int]) -> np.ndarray:
    """Returns an image as uint8 (height, width, channels), resized with antialiasing; proportions are not kept.

    Args:
        image: Grey or RGB, of any size.
        shape: (height, width, channels), channels 1 for grey, 3 for RGB.
    """
    height, width, channels = shape
    image = image.convert("L" if channels == 1 else "RGB")
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR)).reshape(shape)
