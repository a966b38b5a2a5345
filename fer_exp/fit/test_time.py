"""Test-time augmentation: the views of an image whose predictions are averaged.

Called by `experiment` after the plain evaluation; its numbers go under a name of their own. NumPy only.
"""

from collections.abc import Iterator

import numpy as np

CORNER_SHIFT = 1 / 24  # of the side: 2 pixels of 48, so that a model which crops the centre 44 sees the corners


def views(images: np.ndarray, kind: str) -> Iterator[np.ndarray]:
    """Yields the views, one at a time, the image itself first.

    Args:
        images: uint8 (n, height, width, channels).
        kind: flip (the image and its mirror image) or ten_crop (centre and four corners, each with its mirror image).

    Yields:
        uint8 (n, height, width, channels), what lies outside the image being its edge.

    Raises:
        ValueError: If there is no such kind.
    """
    if kind not in ("flip", "ten_crop"):
        raise ValueError(f"`kind` must be flip or ten_crop. Received: {kind}.")
    down, right = (max(1, round(side * CORNER_SHIFT)) for side in images.shape[1:3])
    corners = [(-down, -right), (-down, right), (down, -right), (down, right)]
    for shift in [(0, 0), *(corners if kind == "ten_crop" else [])]:
        shifted = _shift(images, *shift)
        yield shifted
        yield shifted[:, :, ::-1]


def _shift(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Moves the content, repeating the edge where nothing is left."""
    rows = np.clip(np.arange(images.shape[1]) - down, 0, images.shape[1] - 1)
    columns = np.clip(np.arange(images.shape[2]) - right, 0, images.shape[2] - 1)
    return images[:, rows][:, :, columns]
