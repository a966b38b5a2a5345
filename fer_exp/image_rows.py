"""Rows of an array of images that lies on disk: read when they are asked for, a batch at a time.

Used by data sets that may be larger than memory, in place of an array. It knows neither files nor labels.
"""

from collections.abc import Iterator, Sequence

import numpy as np


class ImageRows:
    """A choice of the rows of a memory-mapped array.

    It has the shape and type of an array and is indexed like one, by a slice, row numbers or a mask; what is indexed is
    read into memory, so ask for a batch. `take` chooses further without reading.

    Args:
        array: uint8 (n, height, width, channels), usually a `np.memmap`.
        rows: Row numbers of the array, in the order wanted; None for all.
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray | None = None) -> None:
        self._array = array
        self._rows = np.arange(len(array)) if rows is None else np.asarray(rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, height, width, channels)."""
        return (len(self._rows), *self._array.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self._array.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: int | slice | np.ndarray) -> np.ndarray:
        """Reads rows: (height, width, channels) for one number, else (k, height, width, channels)."""
        chosen = self._rows[key]
        return self._array[int(chosen)] if np.ndim(chosen) == 0 else self._array[chosen]

    def take(self, rows: np.ndarray | slice) -> "ImageRows":
        """Chooses among the rows, by numbers, a mask or a slice, without reading any."""
        return ImageRows(self._array, self._rows[rows])


Images = np.ndarray | ImageRows
"""uint8 (n, height, width, channels), in memory or on disk."""


def take(images: Images, rows: np.ndarray | slice) -> Images:
    """Chooses rows, without reading what lies on disk."""
    return images.take(rows) if isinstance(images, ImageRows) else images[rows]


def chunks(images: Images, size: int = 4096) -> Iterator[np.ndarray]:
    """Yields the images in order, `size` at a time, so that memory holds no more."""
    for start in range(0, len(images), size):
        yield images[start : start + size]


def concatenate(parts: Sequence[Images]) -> Images:
    """Puts images together in order; what lies in one array on disk is not read."""
    arrays = [part._array for part in parts if isinstance(part, ImageRows)]
    if len(arrays) == len(parts) and all(array is arrays[0] for array in arrays):
        return ImageRows(arrays[0], np.concatenate([part._rows for part in parts if isinstance(part, ImageRows)]))
    return np.concatenate([part if isinstance(part, np.ndarray) else part[:] for part in parts])
