"""Images that occur more than once, pixel for pixel.

Called by what looks at data (the doctor, the experiment before it trains) and at results (metrics without
leaked images). It knows no data set.
"""

import hashlib

import numpy as np

from fer_exp.data import image_rows
from fer_exp.data.image_rows import Images


def digests(images: Images) -> np.ndarray:
    """Returns a digest of the pixels of each image, bytes (n,); equal for equal images.

    Args:
        images: uint8 (n, height, width, channels).
    """
    found = [
        hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        for part in image_rows.chunks(images)
        for image in part
    ]
    return np.array(found, dtype=object)


def known(those: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns which of some digests are among others, bool (n,).

    Args:
        those: Digests (n,).
        others: Digests (m,).
    """
    seen = set(others.tolist())
    return np.array([digest in seen for digest in those.tolist()], bool)
