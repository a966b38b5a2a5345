"""Test-time augmentation: the views of a row whose predictions are averaged.

Called by `inference` after the plain evaluation; its numbers go under a name of their own. NumPy only.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from fer_exp.data.inputs import Kind

CORNER_SHIFT = 1 / 24  # of the side: 2 pixels of 48, so that a model which crops the centre 44 sees the corners


_PICTURES = ("image", "clip")
_CORNERS = [(-1, -1), (-1, 1), (1, -1), (1, 1)]


def views(inputs: Mapping[str, np.ndarray], kinds: Mapping[str, Kind], kind: str) -> Iterator[dict[str, np.ndarray]]:
    """Yields the views, one at a time, the row itself first.

    Images and all frames of a clip are shifted and mirrored alike; a sound is the same in every view.

    Args:
        inputs: Rows of each input by its name: images uint8 (n, height, width, channels), clips uint8 (n, frames,
            height, width, channels).
        kinds: Of each input.
        kind: flip (the image and its mirror image) or ten_crop (centre and four corners, each with its mirror image).

    Yields:
        Inputs of the same shapes, what lies outside the image being its edge.

    Raises:
        ValueError: If there is no such kind.
    """
    if kind not in ("flip", "ten_crop"):
        raise ValueError(f"`kind` must be flip or ten_crop. Received: {kind}.")
    pictures = [name for name in inputs if kinds[name] in _PICTURES]
    for down, right in [(0, 0), *(_CORNERS if kind == "ten_crop" else [])]:
        shifted = {**inputs, **{name: _shift(inputs[name], down, right) for name in pictures}}
        yield shifted
        yield {**shifted, **{name: shifted[name][..., ::-1, :] for name in pictures}}


def _shift(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Moves the content of (..., height, width, channels) by so many corners, repeating the edge where nothing is."""
    height, width = images.shape[-3:-1]
    below, beside = (max(1, round(side * CORNER_SHIFT)) for side in (height, width))
    rows = np.clip(np.arange(height) - down * below, 0, height - 1)
    columns = np.clip(np.arange(width) - right * beside, 0, width - 1)
    return images[..., rows, :, :][..., columns, :]
