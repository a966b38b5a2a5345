"""Where the faces of FER2013 and their labels come from, and how they are divided.

Called by the data sets `fer2013` and `ferplus`. `folder` reads Kaggle's folder copy, `ballots` the votes of FER+, and
`division` finds train, val and test in either; the csv itself is the business of `pixel_csv`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fer_exp.data.pixel_csv import USAGES, PixelTable
from fer_exp.data.stored_rows import Rows


@dataclass(frozen=True)
class Faces:
    """The images of a copy of FER2013.

    Attributes:
        images: uint8 (n, 48, 48, 1), 0-255.
        labels: int64 (n,), a position in `EIGHT`.
        parts: str (n,), the Usage of each; `val` or `test` where only the folder is known, empty where nothing is.
        names: str (n,), what an image is called in its source.
        skipped: Names of those that the source holds besides, malformed and left out.
    """

    images: Rows
    labels: np.ndarray
    parts: np.ndarray
    names: np.ndarray
    skipped: Sequence[str] = ()


def of_table(table: PixelTable, usages: np.ndarray | None = None) -> Faces:
    """Returns what a csv holds.

    Args:
        table: From `pixel_csv.load`.
        usages: uint8 (n,), a position in `USAGES`; None for those of the table.
    """
    codes = table.usages if usages is None else usages
    names = np.array([f"row {row}" for row in table.rows.tolist()])
    in_file = len(table.rows) + len(table.skipped_lines)
    skipped = [f"row {row}" for row in np.setdiff1d(np.arange(in_file), table.rows).tolist()]
    return Faces(table.images, table.labels.astype(np.int64), np.array([*USAGES, ""])[codes], names, skipped)


def left_out(faces: Faces, chosen: Iterable[np.ndarray]) -> list[str]:
    """Returns the names of the images that no split has.

    Args:
        faces: All images.
        chosen: Row numbers of each split.
    """
    return [*faces.skipped, *np.delete(faces.names, np.concatenate(list(chosen))).tolist()]
