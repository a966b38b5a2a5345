"""Rows of arrays that lie on disk, of images, clips or sounds: read when they are asked for, a batch at a time.

Used by data sets that may be larger than memory, in place of an array. It knows neither files nor labels.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_CHUNK_BYTES = 2**24


class StoredRows:
    """A choice of the rows of memory-mapped arrays.

    It has the shape and type of an array and is indexed like one, by a slice, row numbers or a mask; what is indexed is
    read into memory, so ask for a batch. `take` chooses further without reading.

    Args:
        arrays: Of shape (n, ...) and any type, usually a `np.memmap`; or several that differ in n alone, whose rows are
            counted on from one to the next.
        rows: Row numbers, in the order wanted; None for all.

    Raises:
        ValueError: If the arrays do not fit together.
    """

    def __init__(self, arrays: np.ndarray | Sequence[np.ndarray], rows: np.ndarray | None = None) -> None:
        self._arrays = (arrays,) if isinstance(arrays, np.ndarray) else tuple(arrays)
        kinds = {(array.shape[1:], array.dtype) for array in self._arrays}
        if len(kinds) != 1:
            raise ValueError(f"`arrays` must hold rows of one size and type. Received: {sorted(map(str, kinds))}.")
        self._starts = np.cumsum([0, *map(len, self._arrays)])
        self._rows = np.arange(self._starts[-1]) if rows is None else np.asarray(rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, ...), for example (rows, height, width, channels)."""
        return (len(self._rows), *self._arrays[0].shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self._arrays[0].dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: int | slice | np.ndarray) -> np.ndarray:
        """Reads rows: (...) for one number, else (k, ...)."""
        chosen = self._rows[key]
        return self._read(np.atleast_1d(chosen))[0] if np.ndim(chosen) == 0 else self._read(chosen)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """Reads in the order of the disk, so that neighbours cost one way there, and puts what was read in order."""
        values = np.empty((len(rows), *self.shape[1:]), self.dtype)
        order = np.argsort(rows, kind="stable")
        ascending = rows[order]
        borders = np.searchsorted(ascending, self._starts)
        for number, array in enumerate(self._arrays):
            part = slice(borders[number], borders[number + 1])
            values[order[part]] = array[ascending[part] - self._starts[number]]
        return values

    def take(self, rows: np.ndarray | slice) -> "StoredRows":
        """Chooses among the rows, by numbers, a mask or a slice, without reading any."""
        return StoredRows(self._arrays, self._rows[rows])

    @classmethod
    def joined(cls, parts: "Sequence[np.ndarray | StoredRows]") -> "StoredRows":
        """Puts rows together in order; nothing is read."""
        arrays: list[np.ndarray] = []
        rows = []
        for part in parts:
            own = part if isinstance(part, StoredRows) else cls(part)
            if len(arrays) < len(own._arrays) or any(a is not b for a, b in zip(arrays, own._arrays, strict=False)):
                rows.append(own._rows + sum(map(len, arrays)))
                arrays += own._arrays
            else:  # the same arrays as before: folds and fractions of one data set
                rows.append(own._rows)
        return cls(arrays, np.concatenate(rows))


@dataclass(frozen=True, eq=False)
class MadeRows:
    """Rows that are made of others when they are asked for, such as pictures of sounds.

    Attributes:
        of: What they are made of.
        make: (k, ...) of those -> (k, *row_shape) of these.
        row_shape: Of one row.
        dtype: Type of the values.
    """

    of: "Rows"
    make: Callable[[np.ndarray], np.ndarray]
    row_shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, ...)."""
        return (len(self.of), *self.row_shape)

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, key: int | slice | np.ndarray) -> np.ndarray:
        """Makes rows: (...) for one number, else (k, ...)."""
        values = self.of[key]
        one = not isinstance(key, slice) and np.ndim(key) == 0
        return self.make(values[None])[0] if one else self.make(values)

    def take(self, rows: np.ndarray | slice) -> "MadeRows":
        """Chooses among the rows without making any."""
        return dataclasses.replace(self, of=take(self.of, rows))


Rows = np.ndarray | StoredRows | MadeRows
"""One input of many examples, (n, ...): in memory, on disk, or made when asked for."""


def take(values: Rows, rows: np.ndarray | slice) -> Rows:
    """Chooses rows, without reading what lies on disk."""
    return values[rows] if isinstance(values, np.ndarray) else values.take(rows)


def chunks(values: Rows, size: int | None = None) -> Iterator[np.ndarray]:
    """Yields the rows in order, `size` at a time, so that memory holds no more; None takes 16 MiB at a time."""
    if size is None:
        size = rows_in_chunk(values)
    for start in range(0, len(values), size):
        yield values[start : start + size]


def rows_in_chunk(values: Rows) -> int:
    """Returns how many rows make 16 MiB, at least one."""
    return max(1, _CHUNK_BYTES // max(1, math.prod(values.shape[1:]) * values.dtype.itemsize))


def concatenate(parts: Sequence[Rows]) -> Rows:
    """Puts rows together in order; what lies on disk is not read."""
    if any(isinstance(part, StoredRows) for part in parts):
        return StoredRows.joined([part[:] if isinstance(part, MadeRows) else part for part in parts])
    return np.concatenate([part[:] for part in parts])


def outline(values: Rows) -> np.ndarray:
    """Returns an array of zeros of the same shape and type that takes no memory, for who wants to know no more."""
    return np.broadcast_to(np.zeros((), values.dtype), values.shape)
