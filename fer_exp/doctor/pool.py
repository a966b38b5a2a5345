"""All images of a data set in one row, and what was found among them.

Shared by the modules of the doctor. It must not know how anything is found, shown or written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from fer_exp.data import shown, stored_rows
from fer_exp.data.stored_rows import Rows
from fer_exp.dataset import Splits, concatenate

SPLIT_NAMES = ("train", "val", "test")
TRAIN, VAL, TEST = range(3)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Pool:
    """The images of train, val and test, one after the other.

    Attributes:
        images: uint8 (n, height, width, channels), in memory, on disk, or made when asked for; of rows that are
            something else than images, a picture of each.
        labels: int64 (n,).
        splits: int (n,), a position in `SPLIT_NAMES`.
        names: str (n,), what each image is called in its source.
        class_names: Name of each label.
    """

    images: Rows
    labels: np.ndarray
    splits: np.ndarray
    names: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def label(self, row: int) -> str:
        """Returns the name of the class of an image."""
        return self.class_names[self.labels[row]]

    def split(self, row: int) -> str:
        """Returns the name of the split of an image."""
        return SPLIT_NAMES[self.splits[row]]

    def called(self, row: int) -> str:
        """Returns name, split and class of an image, as details call it."""
        return f"{self.names[row]} ({self.split(row)}, {self.label(row)})"


@dataclass(frozen=True)
class Group:
    """Images that show the same.

    Attributes:
        rows: int (k,), k >= 2, ascending.
        labels: Of these rows, distinct, ascending.
        splits: Of these rows, distinct, ascending.
    """

    rows: np.ndarray
    labels: tuple[int, ...]
    splits: tuple[int, ...]


@dataclass(frozen=True)
class Finding:
    """One kind of thing that is wrong.

    Attributes:
        kind: Short name, as in the files.
        title: What it is, for a person.
        rows: int (k,), the images concerned, those worth looking at first.
        details: One for each image.
        advice: What to do about it, a sentence.
        groups: Where the images belong together, what is shown side by side.
        suggested: int (k,), the label each image should have had; None where that is not the question.
        missing: What cannot be shown because it could not be read: name and detail of each.
        count: How many there are, if more than can be listed.
    """

    kind: str
    title: str
    rows: np.ndarray
    details: Sequence[str]
    advice: str = ""
    groups: Sequence[Group] = ()
    suggested: np.ndarray | None = None
    missing: Sequence[tuple[str, str]] = field(default=())
    count: int | None = None

    def __len__(self) -> int:
        return len(self.rows) + len(self.missing) if self.count is None else self.count


def pooled(splits: Splits) -> tuple[Pool, list[str]]:
    """Puts the splits of a data set in one row.

    Returns:
        The images, and what must be said about it.
    """
    parts = (splits.train, splits.val, splits.test)
    whole = concatenate(parts, len(splits.class_names))
    numbers = np.repeat(np.arange(3), [len(part) for part in parts])
    notes, names = [], whole.names
    if names is None:
        notes.append("The data set gives its images no names: what is found cannot be fed back as exclude or relabel.")
        names = np.array([f"{SPLIT_NAMES[n]} {row}" for n, part in enumerate(parts) for row in range(len(part))])
    return Pool(shown.pictures(whole.inputs, whole.specs), whole.labels, numbers, names, splits.class_names), notes


def grey(images: Rows, chunk: int = 1024) -> Iterator[np.ndarray]:
    """Yields grey images a chunk at a time, float32 (k, height, width), 0-255."""
    for part in stored_rows.chunks(images, chunk):
        yield part[..., 0].astype(np.float32) if part.shape[3] == 1 else part @ _LUMA


def shrunk(images: np.ndarray, size: int) -> np.ndarray:
    """Returns grey images at another size, each new pixel the mean of the area it covers.

    Args:
        images: float32 (n, height, width).
        size: New height and width.
    """
    height, width = images.shape[1:]
    return _areas(height, size) @ images @ _areas(width, size).T


def _areas(length: int, size: int) -> np.ndarray:
    """Returns how much of each old pixel is in each new one, float32 (size, length); rows sum to 1."""
    edges = np.linspace(0, length, size + 1)
    old = np.arange(length)
    overlap = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    return (np.maximum(overlap, 0) / (length / size)).astype(np.float32)
