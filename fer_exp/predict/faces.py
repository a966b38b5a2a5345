"""What of a picture the model sees: the faces in it, or all of it.

Called by `work`, from several threads. It must not know models or files.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from fer_exp.data.faces import search
from fer_exp.data.faces.search import Box
from fer_exp.data.image_files import fitted

Faces = Literal["haar", "none"]


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
        for box in search.boxes(image)
    ]


def is_a_crop(image: Image.Image, shape: tuple[int, int, int]) -> bool:
    """Tells whether a picture is no larger than what the model takes, so that it can hold no smaller face."""
    return image.width <= shape[1] and image.height <= shape[0]
