"""What a page says of a run in words and tables; it computes nothing that is not in the run already.

Called by `page`. It must not know HTML.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_exp.assessment.metrics import Evaluation, Interval
from fer_exp.data import csv_cells
from fer_exp.data.inputs import described, one
from fer_exp.dataset import Splits
from fer_exp.record import layout
from fer_exp.reporting import tables
from fer_exp.reporting.abridged import spread

NOTHING = "–"
_MOST_ROWS, _MOST_COLUMNS, _MOST_BYTES = 40, 12, 100_000  # of a table that is shown as it is
_MOST_CLASSES, _MOST_SQUARE = 200, 30  # with a row each; and as a matrix
# Tables that are shown in another form, or are there to be computed with.
_ELSEWHERE = ("classification_report", "confusion_matrix", "exports", "history", "predictions")
_LINE = re.compile(r"\[[^]]*\]\[[^]]*\]\[(WARNING|ERROR)\] (.*)")  # of the run's log


@dataclass(frozen=True)
class About:
    """What a page is told of a run.

    Attributes:
        name: Of the run.
        run_id: Of the run.
        tracked_in: Where it is recorded.
        commands: How to run it again: a sentence and a command each.
        options: Facts of the configuration, by name.
        tags: Of the run.
        splits: Its data.
        evaluation: Its answers on the test split.
        kept: Epoch whose weights were kept, of how many.
        seconds: From the start of the run to its page, or from where it was continued.
        continued: Whether an earlier attempt was gone on with.
    """

    name: str
    run_id: str
    tracked_in: str
    commands: Sequence[tuple[str, str]]
    options: Mapping[str, str]
    tags: Mapping[str, Any]
    splits: Splits
    evaluation: Evaluation
    kept: tuple[int, int]
    seconds: float
    continued: bool = False


@dataclass(frozen=True)
class Table:
    """A table to read; the first column names the rows.

    Attributes:
        title: What it is.
        columns: Their names.
        rows: One text for each column.
        note: How to read it; may be empty.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = field(default="")


def scores(about: About) -> list[tuple[str, str, str]]:
    """Returns the numbers that a reader looks for first: name, value, how certain it is."""
    found = about.evaluation

    def interval(of: Interval) -> str:
        return f"95 % interval {100 * of.low:.1f} to {100 * of.high:.1f}"

    return [
        ("Test accuracy", f"{100 * found.accuracy:.1f} %", interval(found.accuracy_interval)),
        ("Test macro-F1", f"{100 * found.macro_f1:.1f} %", interval(found.macro_f1_interval)),
        ("Balanced accuracy", f"{100 * found.balanced_accuracy:.1f} %", f"mean recall, {len(found):,} test images"),
    ]


def facts(about: About) -> list[tuple[str, str]]:
    """Returns what was trained on what, and where, by name."""
    tags, splits = about.tags, about.splits
    multiply_adds = f"{int(tags['multiply_adds']) / 1e6:.1f} M multiply-adds {one(splits.specs)}"
    cost = f"{int(tags['parameters']):,} parameters, {multiply_adds}"
    return [
        *about.options.items(),
        ("size", cost),
        ("first weights", str(tags["weights"])),
        ("kept epoch", f"{about.kept[0]} of {about.kept[1]}"),
        ("duration", duration(about.seconds) + (" since it was continued" if about.continued else "")),
        ("data", f"{splits.source}, {described(splits.specs)}"),
        ("SHA-256 of the data", splits.sha256),
        ("computed in", str(tags["precision"])),
        ("device", f"{tags['device']}, {tags['threads']} threads, {tags['host']}"),
        ("versions", f"fer_exp {tags['version']}, {tags['platform']}"),
        ("git commit", str(tags["git_commit"])),
        ("run", f"{about.run_id} in {about.tracked_in}"),
    ]


def notes(folder: Path, about: About) -> list[str]:
    """Returns what a reader must not miss: what was done to the data, what was warned of, what is withheld.

    Args:
        folder: Of the run.
        about: The run.
    """
    found = [f"data: {key} = {value}" for key, value in _flat(about.splits.notes) if value not in (0, "", None)]
    if "reproduces" in about.tags:
        found.append(f"this run repeats run {about.tags['reproduces']}")
    for log in sorted(folder.glob("*.log")):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [match[2] for line in lines if (match := _LINE.fullmatch(line))]
    return list(dict.fromkeys(found))


def images(about: About) -> Table:
    """Returns how many images each class and split has."""
    splits = about.splits
    names = ("train", "val", "test")
    counts = [np.bincount(getattr(splits, name).labels, minlength=len(splits.class_names)) for name in names]
    shown = spread(len(splits.class_names), _MOST_CLASSES)
    rows = [(splits.class_names[label], *(f"{count[label]:,}" for count in counts)) for label in shown]
    rows.append(("all", *(f"{int(count.sum()):,}" for count in counts)))
    note = f"{len(shown)} of {len(splits.class_names):,} classes." if len(shown) < len(splits.class_names) else ""
    return Table("Images of each class", ("class", *names), tuple(rows), note)


def classes(about: About) -> Table:
    """Returns precision, recall with its interval, and F1 of each class."""
    table = tables.classification_table(about.evaluation)

    def percent(value: float) -> str:
        return NOTHING if np.isnan(value) else f"{100 * value:.1f} %"

    rows = [
        (
            str(name), percent(row["precision"]), percent(row["recall"]), _range(row["recall_low"], row["recall_high"]),
            percent(row["f1"]), f"{int(row['support']):,}",
        )
        for name, row in zip(table.index, table.to_dict("records"), strict=True)
    ]  # fmt: skip
    every = len(about.evaluation.class_names)
    shown = spread(every, _MOST_CLASSES)
    rows = [*(rows[label] for label in shown), *rows[every:]]
    note = (f"{len(shown)} of {every:,} classes, all in tables/. " if len(shown) < every else "") + (
        "Of the test split; recall with its 95 % interval, the others' are in tables/classification_report.csv. The "
        "last line is the share of all images that are classified correctly."
    )
    return Table("Each class", ("class", "precision", "recall", "95 %", "F1", "images"), tuple(rows), note)


def _range(low: float, high: float) -> str:
    return NOTHING if np.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f}"


def confusions(about: About) -> Table:
    """Returns the confusion matrix, of many classes the most frequent confusions."""
    found = about.evaluation
    if len(found.class_names) > _MOST_SQUARE:
        pairs = tables.confused_pairs(found, most=_MOST_SQUARE)
        most = [tuple(map(str, row)) for row in pairs[["true", "predicted", "count"]].to_numpy()]
        note = "The whole matrix is in tables/confusion_matrix.csv."
        return Table("Most frequent confusions", ("true", "predicted", "images"), tuple(most), note)
    rows = [
        (name, *(f"{count:,}" for count in row), f"{int(row.sum()):,}")
        for name, row in zip(found.class_names, found.confusion, strict=True)
    ]
    note = "Rows are the true classes, columns the predicted ones."
    return Table("Confusion matrix in numbers", ("true", *found.class_names, "all"), tuple(rows), note)


def exports(folder: Path) -> list[Table]:
    """Returns the exported files, if there are any: accuracy, agreement, size, time of a call.

    Args:
        folder: Of the run.
    """
    file = folder / layout.EXPORTS
    if not file.is_file():
        return []
    rows = [
        (
            row["file"], f"{100 * row['accuracy']:.2f} %", f"{100 * row['agreement']:.2f} %", f"{row['size_mb']:.2f}",
            f"{row['latency_ms_p50']:.2f} / {row['latency_ms_p95']:.2f}", row["withheld"] or "yes",
        )
        for row in pd.read_csv(file, keep_default_na=False).to_dict("records")
    ]  # fmt: skip
    columns = ("file", "test accuracy", "as Keras", "MB", "ms, p50 / p95", "published")
    note = (
        "Measured on the file itself. As Keras: share of the test images that both call the same. Times on one thread."
    )
    return [Table("Exported files", columns, tuple(rows), note)]


def others(folder: Path) -> Iterator[Table]:
    """Yields every other table of the run that is small enough to be read.

    Args:
        folder: Of the run.
    """
    for file in sorted((folder / layout.TABLES).glob("*.csv")):
        if file.stem in _ELSEWHERE or file.stat().st_size > _MOST_BYTES:
            continue
        table = pd.read_csv(file, keep_default_na=False, dtype=str)
        if 0 < len(table) <= _MOST_ROWS and len(table.columns) <= _MOST_COLUMNS:
            rows = tuple(tuple(_rounded(csv_cells.read(cell)) for cell in row) for row in table.to_numpy())
            yield Table(file.stem.replace("_", " ").capitalize(), tuple(map(str, table.columns)), rows)


def duration(seconds: float) -> str:
    """Returns a time in words: `12 s`, `3 min 20 s`, `1 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            yield f"{prefix}{key}", value


def _rounded(cell: str) -> str:
    """Returns a number with four digits behind the point, and any other text as it is."""
    return f"{float(cell):.4g}" if re.fullmatch(r"-?\d+\.\d{5,}(e-?\d+)?", cell) else cell
