"""How a person sees a row: a picture of whatever it consists of.

Called by sheets, the doctor and reports. An image is shown as it is, a clip as a strip of its frames, a sound as its
spectrogram, several inputs one below the other. It must not know where the pictures go.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fer_exp.data.inputs import Inputs, Kind, Spec, Specs
from fer_exp.data.stored_rows import MadeRows, Rows

Picture = tuple[tuple[int, int, int], Callable[[np.ndarray], np.ndarray]]
"""Shape of a picture, and what makes such pictures, uint8 (k, *shape), of rows (k, ...)."""

_MOST_FRAMES = 8  # of a strip: more would be too small to see
_BINS, _MOMENTS = 64, 128  # rows and columns of a spectrogram
_WINDOW = 256  # samples of a column, at most
_SILENCE_DB = -80.0  # is black; a sine of full scale is white
_BYTE = np.dtype(np.uint8)


def pictures(inputs: Inputs, specs: Specs) -> Rows:
    """Returns one picture of each row, uint8 (n, height, width, 1 or 3), made when it is asked for.

    Of rows that are one image each, these are the images themselves.

    Args:
        inputs: Rows of each input by its name.
        specs: What they are.
    """
    parts = [_pictures(values, specs[name]) for name, values in inputs.items()]
    if len(parts) == 1:
        return parts[0]
    heights, widths, channels = zip(*(part.shape[1:] for part in parts), strict=True)
    shape = (sum(heights), max(widths), max(channels))
    return MadeRows(np.arange(len(parts[0])), functools.partial(_stacked, parts, shape), shape, _BYTE)


def _pictures(values: Rows, spec: Spec) -> Rows:
    if spec.kind == "image":
        return values
    shape, make = _MADE[spec.kind](spec)
    return MadeRows(values, make, shape, _BYTE)


def _stacked(parts: Sequence[Rows], shape: tuple[int, int, int], rows: np.ndarray) -> np.ndarray:
    """Returns the pictures of several inputs one below the other, on black."""
    whole, top = np.zeros((len(rows), *shape), np.uint8), 0
    for part in parts:
        height, width = part.shape[1:3]
        whole[:, top : top + height, :width] = part[rows]
        top += height
    return whole


def _strip(spec: Spec) -> Picture:
    frames, height, width, channels = spec.shape
    drawn = np.unique(np.linspace(0, frames - 1, min(frames, _MOST_FRAMES)).round().astype(int))
    shape = (height, width * len(drawn), channels)
    return shape, lambda clips: np.moveaxis(clips[:, drawn], 1, 2).reshape(-1, *shape)


def _spectrogram(spec: Spec) -> Picture:
    (samples,) = spec.shape
    length = min(_WINDOW, samples)
    starts = np.linspace(0, samples - length, min(_MOMENTS, samples)).round().astype(int)
    within = starts[:, None] + np.arange(length)  # (moments, length)
    window = np.hanning(length + 1)[:length]
    bins = length // 2 + 1
    rows = min(_BINS, bins)
    firsts = np.arange(rows) * bins // rows  # the frequencies that a row shows the strongest of

    def make(sounds: np.ndarray) -> np.ndarray:
        pictures = np.empty((len(sounds), rows, len(starts), 1), np.uint8)
        for number, sound in enumerate(sounds):  # one at a time: its windows take much more memory than it does
            strength = np.abs(np.fft.rfft(sound[within] * window, axis=1)) / max(window.sum() / 2, 1e-9)
            decibels = 20 * np.log10(np.maximum(np.maximum.reduceat(strength, firsts, axis=1), 1e-9))
            grey = np.clip(1 - decibels / _SILENCE_DB, 0, 1)
            pictures[number] = np.rint(255 * grey).astype(np.uint8).T[::-1, :, None]  # high frequencies above
        return pictures

    return (rows, len(starts), 1), make


_MADE: Mapping[Kind, Callable[[Spec], Picture]] = {"clip": _strip, "sound": _spectrogram}
