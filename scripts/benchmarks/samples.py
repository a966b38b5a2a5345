"""Random images for the contenders: what is in them does not matter for speed."""

import numpy as np

CLASSES = 7
ROWS = 4096


def grey(rows: int = ROWS, size: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Returns uint8 (rows, size, size, 1) and int64 labels (rows,)."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (rows, size, size, 1), np.uint8), rng.integers(0, CLASSES, rows)


def pixel_strings(images: np.ndarray) -> list[str]:
    """Returns the images as the csv of FER2013 holds them."""
    return [" ".join(map(str, image.ravel().tolist())) for image in images]
