"""Cuts the largest face out of a photo: square, with a margin, upright if its eyes are found.

Called by `image_cache`, from several threads. It must not know files.
"""

import math

import cv2
import numpy as np
from PIL import Image

from fer_exp.data.faces import FaceCrop, search

VERSION = f"haar 1 {cv2.__version__}"
"""Changes with what is found, or with how it is cut."""
_LARGEST_TILT = 25.0  # degrees; beyond that one of the eyes is none
_EYE_DISTANCES = (0.3, 0.55)  # of the box's width, likewise


def cropped(image: Image.Image, how: FaceCrop) -> Image.Image | None:
    """Returns the face; None if none is found.

    Args:
        image: Grey or RGB.
        how: Margin and alignment.

    Returns:
        A square picture of the same mode, in the resolution of the photo; what lies outside of it repeats its edge.
    """
    found = search.boxes(image)
    if not found:
        return None
    box = found[0]
    side = max(1, round(box.width * (1 + 2 * how.margin)))
    angle = math.radians(_tilt(search.eyes(image, box), box.width) if how.alignment == "eyes" else 0.0)
    cosine, sine = math.cos(angle), math.sin(angle)
    center_x, center_y = box.x + box.width / 2, box.y + box.height / 2
    half = (side - 1) / 2
    # From a pixel of the crop to where it lies in the photo: turned about the middle of the face.
    matrix = np.array(
        [
            [cosine, -sine, center_x - 0.5 - half * (cosine - sine)],
            [sine, cosine, center_y - 0.5 - half * (sine + cosine)],
        ]
    )
    pixels = cv2.warpAffine(
        np.asarray(image),
        matrix,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return Image.fromarray(pixels)


def _tilt(eyes: search.Eyes | None, width: int) -> float:
    """Returns by how many degrees the line between the eyes falls to the right; 0 if it is not known."""
    if eyes is None:
        return 0.0
    right, down = (there - here for here, there in zip(eyes.left, eyes.right, strict=True))
    angle, distance = math.degrees(math.atan2(down, right)), math.hypot(right, down) / width
    return angle if abs(angle) <= _LARGEST_TILT and _EYE_DISTANCES[0] <= distance <= _EYE_DISTANCES[1] else 0.0
