"""What of a picture the model sees: the faces in it, or all of it.

Called by `work`, from several threads. It must not know models or files.

Source:
    Viola and Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001, as trained by
    Lienhart and distributed with OpenCV. FER2013 was cropped by a detector of that kind, so its boxes are what models
    trained on it expect.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from PIL import Image

from fer_exp.image_files import fitted

Faces = Literal["haar", "none"]
_CASCADE = "haarcascade_frontalface_alt2.xml"
_LARGEST_SIDE = 1024  # pixels that are searched; a larger picture is made smaller for the search alone
_SMALLEST_FACE = 0.04  # of the longer side, but at least the cascade's own 24 pixels
_SCALE_STEP, _NEIGHBOURS = 1.1, 4
_of_thread = threading.local()  # a cascade serves one thread at a time
cv2.setNumThreads(1)  # pictures are searched side by side


class Box(NamedTuple):
    """A rectangle in pixels of the picture; x and y are its upper left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Face:
    """What the model sees.

    Attributes:
        box: Where it is in the picture; None if it is all of it.
        pixels: uint8 (height, width, channels), as the model takes them.
    """

    box: Box | None
    pixels: np.ndarray


def find(image: Image.Image, how: Faces, shape: tuple[int, int, int]) -> list[Face]:
    """Returns what the model is to see of a picture, the largest face first; nothing if no face is found.

    Args:
        image: Grey or RGB.
        how: `haar` searches for faces, except in a picture that is no larger than what the model takes, which is taken
            for a face; `none` takes every picture for a face.
        shape: (height, width, channels) of what the model takes.
    """
    if how == "none" or is_a_crop(image, shape):
        return [Face(None, fitted(image, shape))]
    return [
        Face(box, fitted(image.crop((box.x, box.y, box.x + box.width, box.y + box.height)), shape))
        for box in _detect(image)
    ]


def is_a_crop(image: Image.Image, shape: tuple[int, int, int]) -> bool:
    """Tells whether a picture is no larger than what the model takes, so that it can hold no smaller face."""
    return image.width <= shape[1] and image.height <= shape[0]


def _detect(image: Image.Image) -> list[Box]:
    grey = image.convert("L")
    factor = min(1.0, _LARGEST_SIDE / max(grey.size))
    if factor < 1:
        grey = grey.resize((max(1, round(grey.width * factor)), max(1, round(grey.height * factor))))
    smallest = max(24, round(_SMALLEST_FACE * max(grey.size)))
    if min(grey.size) < smallest:
        return []
    found = _cascade().detectMultiScale(
        np.asarray(
            grey
        ),  # not equalised before: that lost a fifth of the faces of FER2013, and found more that are none
        scaleFactor=_SCALE_STEP,
        minNeighbors=_NEIGHBOURS,
        minSize=(smallest, smallest),
    )
    boxes = [Box(*(round(int(value) / factor) for value in row)) for row in found]
    return sorted(boxes, key=lambda box: (-box.width * box.height, box.x, box.y))


def _cascade() -> cv2.CascadeClassifier:
    if not hasattr(_of_thread, "cascade"):
        _of_thread.cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / _CASCADE))
    cascade: cv2.CascadeClassifier = _of_thread.cascade
    return cascade
