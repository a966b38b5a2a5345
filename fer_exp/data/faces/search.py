"""Finds faces, and the eyes in them, by the cascades that OpenCV brings along.

Called by `predict.faces` and `faces.cropping`, from several threads. It must not know models or files.

Source:
    Viola and Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001, as trained by
    Lienhart and distributed with OpenCV. FER2013 was cropped by a detector of that kind, so its boxes are what models
    trained on it expect.
"""

import threading
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

_FACE, _EYE = "haarcascade_frontalface_alt2.xml", "haarcascade_eye.xml"
_LARGEST_SIDE = 1024  # pixels that are searched; a larger picture is made smaller for the search alone
_SMALLEST_FACE = 0.04  # of the longer side, but at least the cascade's own 24 pixels
_SCALE_STEP, _NEIGHBOURS = 1.1, 4
_FACE_PIXELS = 160  # width that a face has while its eyes are searched
_EYE_BAND = (0.15, 0.6)  # of a box's height: forehead and mouth hold no eyes, but much that is taken for one
_EYE_WIDTHS = (0.15, 0.4)  # of a box
_of_thread = threading.local()  # a cascade serves one thread at a time
cv2.setNumThreads(1)  # pictures are searched side by side


class Box(NamedTuple):
    """A rectangle in pixels of the picture; x and y are its upper left corner."""

    x: int
    y: int
    width: int
    height: int


class Eyes(NamedTuple):
    """Centres of the two eyes, (x, y) in pixels of the picture, the one further left in it first."""

    left: tuple[float, float]
    right: tuple[float, float]


def boxes(image: Image.Image) -> list[Box]:
    """Returns where faces are, the largest first.

    Args:
        image: Grey or RGB.
    """
    grey = image.convert("L")
    factor = min(1.0, _LARGEST_SIDE / max(grey.size))
    if factor < 1:
        grey = grey.resize((max(1, round(grey.width * factor)), max(1, round(grey.height * factor))))
    smallest = max(24, round(_SMALLEST_FACE * max(grey.size)))
    if min(grey.size) < smallest:
        return []
    found = _cascade(_FACE).detectMultiScale(
        np.asarray(
            grey
        ),  # not equalised before: that lost a fifth of the faces of FER2013, and found more that are none
        scaleFactor=_SCALE_STEP,
        minNeighbors=_NEIGHBOURS,
        minSize=(smallest, smallest),
    )
    boxes = [Box(*(round(int(value) / factor) for value in row)) for row in found]
    return sorted(boxes, key=lambda box: (-box.width * box.height, box.x, box.y))


def eyes(image: Image.Image, box: Box) -> Eyes | None:
    """Returns the eyes of a face; None unless one is found in each half of it.

    Args:
        image: Grey or RGB.
        box: The face.
    """
    top, bottom = (box.y + round(share * box.height) for share in _EYE_BAND)
    scale = _FACE_PIXELS / box.width
    size = (_FACE_PIXELS, max(1, round((bottom - top) * scale)))
    band = image.convert("L").crop((box.x, top, box.x + box.width, bottom)).resize(size)
    smallest, largest = (round(share * _FACE_PIXELS) for share in _EYE_WIDTHS)
    found = _cascade(_EYE).detectMultiScale(
        np.asarray(band),
        scaleFactor=_SCALE_STEP,
        minNeighbors=_NEIGHBOURS,
        minSize=(smallest, smallest),
        maxSize=(largest, largest),
    )
    halves: tuple[list[tuple[float, float, float]], list[tuple[float, float, float]]] = ([], [])
    for x, y, width, height in (map(float, row) for row in found):
        center = x + width / 2
        halves[center > _FACE_PIXELS / 2].append((width, box.x + center / scale, top + (y + height / 2) / scale))
    if not (halves[0] and halves[1]):
        return None
    left, right = (max(half)[1:] for half in halves)  # the widest: nostrils and corners of eyes are smaller
    return Eyes(left, right)


def _cascade(name: str) -> cv2.CascadeClassifier:
    held = _of_thread.__dict__
    if name not in held:
        held[name] = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / name))
    cascade: cv2.CascadeClassifier = held[name]
    return cascade
