"""Photographs of drawn faces that the Haar cascade finds."""

from functools import cache

import numpy as np
from contracts import node
from PIL import Image

from fer_exp.dataset import Splits
from fer_exp.options import config
from fer_exp.predict import faces

SIDE = 160  # of a drawn face


@cache
def found_faces(count: int = 2) -> tuple[Image.Image, ...]:
    """The first drawn faces that are found on an even ground."""
    sizes = {"train_size": 40, "val_size": 7, "test_size": 7}
    drawn: Splits = config.build(node("dataset", "synthetic", **sizes, image_size=SIDE, difficulty=0.0))
    every = (Image.fromarray(image[:, :, 0]) for image in drawn.train.images)
    found = (face for face in every if len(faces.find(photo(face), "haar", (24, 24, 1))) == 1)
    return tuple(next(found) for _ in range(count))


def photo(*shown: Image.Image) -> Image.Image:
    """A wide picture with faces at (120 + 200 k, 70)."""
    picture = Image.new("RGB", (200 * len(shown) + 200, 300), (128, 128, 128))
    for number, face in enumerate(shown):
        picture.paste(face.convert("RGB"), (120 + 200 * number, 70))
    return picture


def flat(value: int, size: tuple[int, int] = (60, 60)) -> Image.Image:
    """An even picture without a face."""
    return Image.fromarray(np.full(size, value, np.uint8))
