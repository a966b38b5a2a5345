"""Rows of arrays of images that lie on disk: read when they are asked for, a batch at a time.

Used by data sets that may be larger than memory, in place of an array. It knows neither files nor labels.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

_CHUNK_BYTES = 2**24


class ImageRows:
    """A choice of the rows of memory-mapped arrays.

    It has the shape and type of an array and is indexed like one, by a slice, row numbers or a mask; what is indexed is
    read into memory, so ask for a batch. `take` chooses further without reading.

    Args:
        arrays: uint8 (n, height, width, channels), usually a `np.memmap`; or several that differ in n alone, whose rows
            are counted on from one to the next.
        rows: Row numbers, in the order wanted; None for all.

    Raises:
        ValueError: If the arrays do not fit together.
    """

    def __init__(self, arrays: np.ndarray | Sequence[np.ndarray], rows: np.ndarray | None = None) -> None:
        self._arrays = (arrays,) if isinstance(arrays, np.ndarray) else tuple(arrays)
        kinds = {(array.shape[1:], array.dtype) for array in self._arrays}
        if len(kinds) != 1:
            raise ValueError(f"`arrays` must be images of one size and type. Received: {sorted(map(str, kinds))}.")
        self._starts = np.cumsum([0, *map(len, self._arrays)])
        self._rows = np.arange(self._starts[-1]) if rows is None else np.asarray(rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, height, width, channels)."""
        return (len(self._rows), *self._arrays[0].shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self._arrays[0].dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: int | slice | np.ndarray) -> np.ndarray:
        """Reads rows: (height, width, channels) for one number, else (k, height, width, channels)."""
        chosen = self._rows[key]
        return self._read(np.atleast_1d(chosen))[0] if np.ndim(chosen) == 0 else self._read(chosen)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """Reads in the order of the disk, so that neighbours cost one way there, and puts what was read in order."""
        images = np.empty((len(rows), *self.shape[1:]), self.dtype)
        order = np.argsort(rows, kind="stable")
        ascending = rows[order]
        borders = np.searchsorted(ascending, self._starts)
        for number, array in enumerate(self._arrays):
            part = slice(borders[number], borders[number + 1])
            images[order[part]] = array[ascending[part] - self._starts[number]]
        return images

    def take(self, rows: np.ndarray | slice) -> "ImageRows":
        """Chooses among the rows, by numbers, a mask or a slice, without reading any."""
        return ImageRows(self._arrays, self._rows[rows])

    @classmethod
    def joined(cls, parts: "Sequence[np.ndarray | ImageRows]") -> "ImageRows":
        """Puts images together in order; nothing is read."""
        arrays: list[np.ndarray] = []
        rows = []
        for part in parts:
            own = part if isinstance(part, ImageRows) else cls(part)
            if len(arrays) < len(own._arrays) or any(a is not b for a, b in zip(arrays, own._arrays, strict=False)):
                rows.append(own._rows + sum(map(len, arrays)))
                arrays += own._arrays
            else:  # the same arrays as before: folds and fractions of one data set
                rows.append(own._rows)
        return cls(arrays, np.concatenate(rows))


Images = np.ndarray | ImageRows
"""uint8 (n, height, width, channels), in memory or on disk."""


def take(images: Images, rows: np.ndarray | slice) -> Images:
    """Chooses rows, without reading what lies on disk."""
    return images.take(rows) if isinstance(images, ImageRows) else images[rows]


def chunks(images: Images, size: int | None = None) -> Iterator[np.ndarray]:
    """Yields the images in order, `size` at a time, so that memory holds no more; None takes 16 MiB at a time."""
    if size is None:
        size = max(1, _CHUNK_BYTES // max(1, math.prod(images.shape[1:]) * images.dtype.itemsize))
    for start in range(0, len(images), size):
        yield images[start : start + size]


def concatenate(parts: Sequence[Images]) -> Images:
    """Puts images together in order; what lies on disk is not read."""
    if any(isinstance(part, ImageRows) for part in parts):
        return ImageRows.joined(parts)
    return np.concatenate([part for part in parts if isinstance(part, np.ndarray)])


def outline(images: Images) -> np.ndarray:
    """Returns an array of zeros of the same shape and type that takes no memory, for who wants to know no more."""
    return np.broadcast_to(np.zeros((), images.dtype), images.shape)
