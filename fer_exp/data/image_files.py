"""Image files decoded, and fitted into arrays of one size.

Called by `image_cache` and by whatever opens pictures. It knows neither classes nor splits.
"""

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from fer_exp.data import image_formats
from fer_exp.errors import DataError

warnings.filterwarnings("ignore", module="PIL")  # of malformed notes in pictures; what matters is raised
UNWANTED = "there is nothing in it that is wanted"
_ORIENTATION = 0x0112  # the one thing that is wanted of EXIF
_UPRIGHT = 1
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TOLD = (OSError, SyntaxError, ValueError)  # whose messages are sentences; others need the name of the error


class UndecodableError(Exception):
    """A picture cannot be decoded; the message says why."""


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
        except UndecodableError as error:
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
    """Decodes an image file in its own size, turned as its EXIF says, on white where it is transparent.

    Of a file with several pictures (an animation, a TIFF of many pages) it is the first.

    Args:
        path: The file.
        channels: 1 for grey, 3 for RGB.

    Raises:
        UndecodableError: If it is no picture of a format that is read, is damaged, has more than 8 bits a channel, or
            more pixels than Pillow's limit.
    """
    try:
        return _upright(path, channels)
    except UndecodableError:
        raise
    except Exception as error:  # a decoder raises whatever damaged bytes lead it to: struct.error, IndexError ...
        raise UndecodableError(_reason(path, error)) from error


def _upright(path: Path | str, channels: int) -> Image.Image:
    try:
        opened = Image.open(path, formats=image_formats.formats(path))
    except Image.DecompressionBombError as error:
        raise UndecodableError(_too_large("its")) from error
    with opened as image:
        # Pillow itself refuses only twice this number, and merely warns below that.
        if Image.MAX_IMAGE_PIXELS is not None and image.width * image.height > Image.MAX_IMAGE_PIXELS:
            raise UndecodableError(_too_large(f"{image.width}x{image.height}"))
        if image.mode.startswith(("I", "F")):
            raise UndecodableError(f"it has more than 8 bits a channel (mode {image.mode})")
        image.load()  # EXIF may stand behind the pixels
        turn = _TURNS.get(_orientation(image))
        plain = _opaque(image).convert("L" if channels == 1 else "RGB")
        return plain if turn is None else plain.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """Returns how the camera was held, as EXIF counts it; 1, upright, if nothing readable says so.

    Notes of cameras are malformed in every way, which is no damage of the picture.
    """
    try:
        held = image.getexif().get(_ORIENTATION)
    except Exception:  # as of a decoder: whatever malformed bytes lead it to
        return _UPRIGHT
    return held if isinstance(held, int) else _UPRIGHT


def _opaque(image: Image.Image) -> Image.Image:
    """Returns a picture on white: the colour under what is transparent is whatever a program left there."""
    if not image.has_transparency_data:
        return image
    above = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)


def _reason(path: Path | str, error: Exception) -> str:
    said = " ".join(str(error).split())
    if isinstance(error, UnidentifiedImageError) and (package := image_formats.needs(path)):
        return f"cannot identify image file: to read such pictures, install {package}"
    return said if said and isinstance(error, _TOLD) else f"{type(error).__name__}: {said}".rstrip(": ")


def _too_large(pixels: str) -> str:
    return f"{pixels} pixels are more than {Image.MAX_IMAGE_PIXELS:,}"


def _boxed(image: Image.Image, box: np.ndarray) -> Image.Image:
    """Returns the part of a box (x, y, width, height) that lies in the image."""
    x, y, width, height = (int(number) for number in box)
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, image.width), min(y + height, image.height)
    if right <= left or bottom <= top:
        raise UndecodableError(
            f"the box {width}x{height} at ({x}, {y}) lies outside its {image.width}x{image.height} pixels"
        )
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
