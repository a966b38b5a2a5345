"""Images that a person, or the doctor, wants left out or labelled anew: two small CSV files, matched by name.

Called by `dataset.assemble`. Only train and val are corrected: a test split that one may clean is a benchmark no more.
It must not know how a data set is read.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_exp.data import csv_cells
from fer_exp.data.emotions import canonical
from fer_exp.errors import DataError

_SHOWN = 3  # names in a message
# What an image was labelled when a file was made, as the doctor writes it; the first of these columns that is there.
_FORMER_LABEL = {"exclude": ("given", "label"), "relabel": ("given",)}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corrected:
    """The labels of one split before and after.

    Attributes:
        before: int64 (n,).
        labels: int64 (n,), of all images, also of those that do not stay.
        kept: bool (n,), which images stay.
    """

    before: np.ndarray
    labels: np.ndarray
    kept: np.ndarray

    @property
    def after(self) -> np.ndarray:
        """Labels of the images that stay, int64 (k,)."""
        return self.labels[self.kept]

    @property
    def emptied(self) -> np.ndarray:
        """Labels that had images and have none any more, int64 (k,), ascending."""
        return np.setdiff1d(self.before, self.after)


@dataclass(frozen=True)
class Former:
    """What a file says that images were labelled when it was made.

    Attributes:
        file: The file.
        column: Its column that says so.
        labels: Name of a class, by image; images that the file says nothing of are not in it.
    """

    file: Path
    column: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Found:
    """What the files say.

    Attributes:
        class_names: Name of each class, in label order.
        excluded: Names of images that are left out.
        labels: New label of images, by name.
        former: By option, where a file has such a column.
    """

    class_names: Sequence[str]
    excluded: frozenset[str]
    labels: Mapping[str, int]
    former: Mapping[str, Former]

    def check_names(self, known: Iterable[str], left_out: Collection[str] = ()) -> int:
        """Refuses names that no image has.

        Args:
            known: Names of all images.
            left_out: Names of images that the data set has left out already, as its options say.

        Returns:
            How many of those left out the files name.

        Raises:
            DataError: If there are any of no image.
        """
        beyond = (self.excluded | self.labels.keys()) - set(known)
        strangers = sorted(beyond - set(left_out))
        if strangers:
            shown = ", ".join(strangers[:_SHOWN]) + (" ..." if len(strangers) > _SHOWN else "")
            raise DataError(
                "`dataset.exclude` and `dataset.relabel` must name images of this data set (column `name`, as the "
                f"doctor writes it). Unknown: {shown} ({len(strangers)} in all)."
            )
        return len(beyond)

    def check_labels(
        self, splits: Iterable[tuple[np.ndarray | None, np.ndarray]], elsewhere: Mapping[str, str] | None = None
    ) -> None:
        """Refuses files that were made of other data, in which other images have these names.

        `row 17` is a name in every copy of FER2013, so what the file says of the label is all that tells them apart. A
        single image that does not agree is enough: the files of the doctor agree with their data without exception.

        Args:
            splits: Names and labels, str (n,) or None and int64 (n,), before any correction.
            elsewhere: Name of the class that an image has elsewhere, by image: a file that was made there is good too.

        Raises:
            DataError: If what a file says does not agree with the labels.
        """
        if not self.former:
            return
        key = _spelling(self.class_names)
        labels = {
            name: self.class_names[label]
            for names, numbers in splits
            if names is not None
            for name, label in zip(names.tolist(), numbers.tolist(), strict=True)
        }
        for option, former in self.former.items():
            compared = [name for name in former.labels if name in labels]
            wrong = []
            for name in compared:
                agreed = {labels[name], (elsewhere or {}).get(name, labels[name])}
                if option == "exclude" and name in self.labels:  # the doctor may have seen the data relabelled
                    agreed.add(self.class_names[self.labels[name]])
                if key(former.labels[name]) not in map(key, agreed):
                    wrong.append(f"{name} as {former.labels[name]}, which is {labels[name]} here")
            if wrong:
                shown = "; ".join(wrong[:_SHOWN]) + ("; ..." if len(wrong) > _SHOWN else "")
                raise DataError(
                    f"`dataset.{option}` must be made of these data: its column `{former.column}` says what images "
                    f"were labelled then. Received: {former.file} with {shown} ({len(wrong):,} of {len(compared):,} "
                    "do not agree). It seems to be of another copy, in which other images have these names. Make it "
                    "anew by the doctor for data; or, if the names are right, remove that column."
                )

    def concern(self, names: np.ndarray | None) -> int:
        """Returns how many of these images the files name."""
        return 0 if names is None else sum(name in self.excluded or name in self.labels for name in names)

    def apply(self, names: np.ndarray | None, labels: np.ndarray) -> Corrected:
        """Corrects one split.

        Args:
            names: str (n,); None if the images have none, so that nothing can be said of them.
            labels: int64 (n,).
        """
        if names is None:
            return Corrected(labels, labels, np.ones(len(labels), bool))
        kept = np.array([name not in self.excluded for name in names], bool)
        changed = [self.labels.get(name, label) for name, label in zip(names, labels.tolist(), strict=True)]
        return Corrected(labels, np.array(changed, np.int64), kept)

    def check_left(self, train: Corrected, val: Corrected, test: np.ndarray) -> dict[str, list[str]]:
        """Refuses corrections that leave too little to train on; warns of classes that are gone.

        Args:
            train: As corrected.
            val: As corrected.
            test: Labels of the test split, int64 (n,).

        Returns:
            Names of the classes that have lost all of their images, by split; only splits that have such.

        Raises:
            DataError: If train or val is empty, or a class of val or test has lost all of its training images.
        """
        splits = {"train": train, "val": val}
        for title, split in splits.items():
            if len(split.before) and not split.kept.any():
                raise DataError(
                    f"`dataset.exclude` must leave images in train and val. Received a file that names all "
                    f"{len(split.before):,} of {title}. Take rows out of it."
                )
        for title, labels in (("val", val.after), ("test", test)):
            untrained = np.intersect1d(train.emptied, labels)
            if len(untrained):
                parts = [f"{self.class_names[label]} ({_taken(train, label)})" for label in untrained]
                raise DataError(
                    f"`dataset.exclude` and `dataset.relabel` must leave training images of every class that {title} "
                    f"has. Without any: {', '.join(parts)}. Take some of these images out of the file."
                )
        emptied = {
            title: [self.class_names[label] for label in split.emptied]
            for title, split in splits.items()
            if len(split.emptied)
        }
        for title, names in emptied.items():
            _log.warning("The corrections leave no image in %s of: %s.", title, ", ".join(names))
        return emptied


def _taken(split: Corrected, label: int) -> str:
    """Returns what became of the images of a class: how many each option took."""
    of_class = split.before == label
    excluded = int((of_class & ~split.kept).sum())
    counts = {"dataset.exclude": excluded, "dataset.relabel": int(of_class.sum()) - excluded}
    return ", ".join(f"`{option}` takes {count:,}" for option, count in counts.items() if count)


@dataclass(frozen=True)
class Corrections:
    """The options `exclude` and `relabel` of a data set.

    Attributes:
        exclude: CSV with a column `name`; None for nothing.
        relabel: CSV with the columns `name` and `label` (the name of a class, in any spelling); None for nothing.
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
        excluded = _rows(self.exclude, "exclude", ("name",))
        relabelled = _rows(self.relabel, "relabel", ("name", "label"))
        twice = [name for name, count in Counter(row["name"] for row in relabelled).items() if count > 1]
        if twice:
            raise DataError(f"`dataset.relabel` must name each image once. Received {twice[0]} more than once.")
        key = _spelling(class_names)
        label_of = {key(name): label for label, name in enumerate(class_names)}
        unknown = sorted({row["label"] for row in relabelled if key(row["label"]) not in label_of})
        if unknown:
            raise DataError(
                f"`dataset.relabel` must give labels among {', '.join(class_names)}. Received: {', '.join(unknown)}."
            )
        former = {}
        for option, path, rows in (("exclude", self.exclude, excluded), ("relabel", self.relabel, relabelled)):
            column = next((column for column in _FORMER_LABEL[option] if rows and column in rows[0]), None)
            if path is not None and column is not None:
                said = {row["name"]: row[column] for row in rows if row[column]}
                former[option] = Former(Path(path).expanduser(), column, said)
        labels = {row["name"]: label_of[key(row["label"])] for row in relabelled}
        return Found(class_names, frozenset(row["name"] for row in excluded), labels, former)


def _spelling(class_names: Sequence[str]) -> Callable[[str], str]:
    """Returns what makes names of classes comparable: any spelling is good, unless two classes differ in that alone."""
    if len({canonical(name) for name in class_names}) < len(class_names):
        return str
    return canonical


def _rows(path: str | None, option: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """Returns the rows with all of their columns, of which those named must be there."""
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
    rows = [[csv_cells.read(cell) for cell in row] for row in table.fillna("").itertuples(index=False)]
    return [dict(zip(table.columns, row, strict=True)) for row in rows]
