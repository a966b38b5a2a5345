"""Images that a person, or the doctor, wants left out or labelled anew: two small CSV files, matched by name.

Called by `dataset.assemble`. Only train and val are corrected: a test split that one may clean is a benchmark no more.
It must not know how a data set is read.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_exp.errors import DataError

_SHOWN = 3  # names in a message


@dataclass(frozen=True)
class Found:
    """What the files say.

    Attributes:
        excluded: Names of images that are left out.
        labels: New label of images, by name.
    """

    excluded: frozenset[str]
    labels: Mapping[str, int]

    def check(self, known: Iterable[str]) -> None:
        """Refuses names that no image has.

        Raises:
            DataError: If there are any.
        """
        strangers = sorted((self.excluded | self.labels.keys()) - set(known))
        if strangers:
            shown = ", ".join(strangers[:_SHOWN]) + (" ..." if len(strangers) > _SHOWN else "")
            raise DataError(
                "`dataset.exclude` and `dataset.relabel` must name images of this data set (column `name`, as the "
                f"doctor writes it). Unknown: {shown} ({len(strangers)} in all)."
            )

    def concern(self, names: np.ndarray | None) -> int:
        """Returns how many of these images the files name."""
        return 0 if names is None else sum(name in self.excluded or name in self.labels for name in names)

    def apply(self, names: np.ndarray | None, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns which images stay, bool (n,), and the labels of all of them, int64 (n,).

        Args:
            names: str (n,); None if the images have none, so that nothing can be said of them.
            labels: int64 (n,).
        """
        if names is None:
            return np.ones(len(labels), bool), labels
        kept = np.array([name not in self.excluded for name in names], bool)
        changed = [self.labels.get(name, label) for name, label in zip(names, labels.tolist(), strict=True)]
        return kept, np.array(changed, np.int64)


@dataclass(frozen=True)
class Corrections:
    """The options `exclude` and `relabel` of a data set.

    Attributes:
        exclude: CSV with a column `name`; None for nothing.
        relabel: CSV with the columns `name` and `label` (the name of a class); None for nothing.
    """

    exclude: str | None
    relabel: str | None

    @property
    def wanted(self) -> bool:
        """Whether there is anything to correct."""
        return self.exclude is not None or self.relabel is not None

    def read(self, class_names: Sequence[str]) -> Found:
        """Reads the files.

        Args:
            class_names: Name of each class, in label order.

        Raises:
            DataError: If a file cannot be read, lacks a column, or names a class that there is not.
        """
        excluded = frozenset(row["name"] for row in _rows(self.exclude, "exclude", ("name",)))
        relabelled = _rows(self.relabel, "relabel", ("name", "label"))
        twice = [name for name, count in Counter(row["name"] for row in relabelled).items() if count > 1]
        if twice:
            raise DataError(f"`dataset.relabel` must name each image once. Received {twice[0]} more than once.")
        unknown = sorted({row["label"] for row in relabelled} - set(class_names))
        if unknown:
            raise DataError(
                f"`dataset.relabel` must give labels among {', '.join(class_names)}. Received: {', '.join(unknown)}."
            )
        return Found(excluded, {row["name"]: class_names.index(row["label"]) for row in relabelled})


def _rows(path: str | None, option: str, columns: Sequence[str]) -> list[dict[str, str]]:
    if path is None:
        return []
    import pandas as pd

    file = Path(path).expanduser()
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:  # pandas' ParserError and EmptyDataError are ValueErrors
        raise DataError(f"`dataset.{option}` must be a readable CSV. Received: {file} ({error}).") from error
    absent = [column for column in columns if column not in table]
    if absent:
        raise DataError(
            f"`dataset.{option}` must be a CSV with the column{'s' if len(columns) > 1 else ''} {', '.join(columns)}. "
            f"Received: {file} with {', '.join(table.columns)}."
        )
    return [dict(zip(columns, row, strict=True)) for row in table[list(columns)].itertuples(index=False)]
