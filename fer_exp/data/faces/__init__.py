"""Faces in photos: where they are, and how they are cut out.

`search` finds faces and eyes, `cropping` cuts a face out, upright. Called by `image_cache` for folders of photos, and
by `predict`. This file is what may be named without importing OpenCV.
"""

from dataclasses import dataclass
from typing import Literal

NO_FACE = "no face was found"


@dataclass(frozen=True)
class FaceCrop:
    """How the largest face of a photo is cut out.

    Attributes:
        margin: What is added to each side of the box that is found, as a share of its width, >= 0.
        alignment: `eyes` turns the face until the line between its eyes is level, where both are found; `none` does
            not.
    """

    margin: float
    alignment: Literal["eyes", "none"]
