"""FER+: what ten people saw in each face of FER2013, and the rules that make labels of their votes.

Called by the data set `ferplus` and by the doctor. The file `fer2013new.csv` has a line for each row of `fer2013.csv`,
in its order, and its image numbers are of no account. The rules are those of the reference code: votes that stand alone
are taken for mistakes; what remains must agree. It must not know splits.

Source: Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", 2016, https://arxiv.org/abs/1608.01041; the numbers in the rules: src/ferplus.py of
https://github.com/microsoft/FERPlus.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_exp.data import archive
from fer_exp.data.emotions import EMOTIONS
from fer_exp.data.pixel_csv import NO_USAGE, USAGES, PixelTable
from fer_exp.errors import DataError

CLASSES: tuple[str, ...] = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""The classes of FER+, in the order of its columns."""

IN_ORDER_OF_EMOTIONS = [
    CLASSES.index({"angry": "anger", "happy": "happiness", "sad": "sadness"}.get(emotion, emotion))
    for emotion in EMOTIONS
]
"""Which class of FER+ each of `EMOTIONS` is."""

KEPT, NO_AGREEMENT, UNKNOWN, NOT_A_FACE = range(4)
"""What becomes of a row: it has a label, or why it has none."""

_COLUMNS = (*CLASSES, "unknown", "nf")
_LIMIT_BYTES = 64 << 20  # the complete file has 1.6 MB
_MOST_HEADER_BYTES = 1 << 12
_LEAST_VOTES = 2  # fewer are taken for a mistake
_MAJORITY = 0.5  # of the votes that remain
_ENOUGH = 0.75  # of them, after which no further class is taken into a distribution
_MOST_CLASSES = 3  # in a distribution
_LEAST_AGREEMENT = 0.4  # with the labels of FER2013; measured: 0.68, and 0.18 with the rows moved on by one
_ENOUGH_TO_TELL = 100  # rows


@dataclass(frozen=True)
class Ballots:
    """The file as it is.

    Attributes:
        usages: uint8 (n,), a position in `USAGES`.
        votes: int64 (n, 10), for each of `CLASSES`, then for `unknown` and for `not a face`.
    """

    usages: np.ndarray
    votes: np.ndarray


@dataclass(frozen=True)
class Verdict:
    """What a rule makes of the votes.

    Attributes:
        targets: float32 (n, 8), share of each class; rows sum to 1 where the row is kept, and to 0 elsewhere.
        outcomes: int64 (n,), `KEPT` or why the row has no label.
    """

    targets: np.ndarray
    outcomes: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """int64 (n,), the class with the largest share, the first of equal ones; of no account where none is kept."""
        return self.targets.argmax(axis=1)


def read(path: Path, option: str = "dataset.votes") -> Ballots:
    """Reads the file.

    Args:
        path: `fer2013new.csv`, plain or packed as .gz, .zip or .tar.gz.
        option: How the file was given, for the messages.

    Raises:
        DataError: If it cannot be read or is no such file.
    """
    import pandas as pd

    with archive.open_stream(path, limit_bytes=_LIMIT_BYTES) as stream:
        content = b"".join(iter(lambda: stream.read(1 << 20), b""))
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except ValueError as error:  # pandas' ParserError and EmptyDataError are ValueErrors
        raise DataError(f"`{option}` must be the csv of FER+. Received: {path} ({error}).") from error
    table.columns = [str(name).strip().casefold() for name in table.columns]
    _check_columns(list(table.columns), path, option)
    if not len(table):
        raise DataError(f"`{option}` must have a line for each image. Received: {path} with none.")
    votes = table[list(_COLUMNS)].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    usages = table["usage"].str.strip().map({usage: code for code, usage in enumerate(USAGES)}).to_numpy(float)
    sound = (votes >= 0).all(axis=1) & (votes % 1 == 0).all(axis=1) & ~np.isnan(usages)
    if not sound.all():
        raise DataError(
            f"{path}, line {int(np.flatnonzero(~sound)[0]) + 2}: a line must have a Usage ({', '.join(USAGES)}) and "
            "whole numbers of votes, 0 or more. Download the file again."
        )
    return Ballots(usages.astype(np.uint8), votes.astype(np.int64))


def glance(path: Path, option: str = "dataset.votes") -> None:
    """Looks at the first line only, unless all of an archive must be read for that.

    Raises:
        DataError: If the file cannot be read or names other columns, as `read` says.
    """
    if not archive.begins_at_once(path):
        return
    with archive.open_stream(path, limit_bytes=_LIMIT_BYTES) as stream:
        line = stream.read(_MOST_HEADER_BYTES).decode("utf-8-sig", "replace").partition("\n")[0]
    _check_columns([name.strip().strip('"').strip().casefold() for name in line.split(",")], path, option)


def joined(ballots: Ballots, table: PixelTable, votes_path: Path, path: Path, option: str = "dataset.votes") -> Ballots:
    """Returns the votes on each row of a table, after a check that the two files are of one copy.

    Args:
        ballots: From `read`.
        table: From `pixel_csv.load`; its Usage, if it has one, must be that of the votes.
        votes_path: For the messages.
        path: For the messages.
        option: How the votes were given, for the messages.

    Raises:
        DataError: If they do not have as many rows, or not the same Usage in each.
    """
    rows = len(table.rows) + len(table.skipped_lines)
    if len(ballots.usages) != rows:
        shorter = f" If it is a copy that ends earlier: head -n {rows + 1} {votes_path.name} > its_votes.csv"
        raise DataError(
            f"`{option}` must have a line for each row of `dataset.path`, in the same order. Received: "
            f"{votes_path} with {len(ballots.usages):,} and {path} with {rows:,}. Give the two files of one copy."
            f"{shorter if rows < len(ballots.usages) else ''}"
        )
    found = Ballots(ballots.usages[table.rows], ballots.votes[table.rows])
    other = np.flatnonzero((table.usages != found.usages) & (table.usages != NO_USAGE))
    if len(other):
        row = other[0]
        raise DataError(
            f"`{option}` must have the Usage of each row of `dataset.path`. Received: row {table.rows[row]} "
            f"(from 0) is {USAGES[found.usages[row]]} in {votes_path} and {USAGES[table.usages[row]]} in {path}. Give "
            "the two files of one copy."
        )
    return found


def agreement(
    verdict: Verdict, labels: np.ndarray, votes_path: Path, path: Path, option: str = "dataset.votes"
) -> float:
    """Returns the share of the rows that FER2013 labels as the majority does, 0-1: what tells rows in another order.

    Args:
        verdict: By majority, of n rows.
        labels: int (n,), positions in `EMOTIONS`: what FER2013 says of these rows.
        votes_path: For the message.
        path: For the message.
        option: How the votes were given, for the message.

    Raises:
        DataError: If it is so small that votes and rows cannot belong together.
    """
    agrees = (verdict.labels == np.array(IN_ORDER_OF_EMOTIONS)[labels])[verdict.outcomes == KEPT]
    share = float(agrees.mean()) if len(agrees) else 0.0
    if len(agrees) >= _ENOUGH_TO_TELL and share < _LEAST_AGREEMENT:
        raise DataError(
            f"`{option}` must have its lines in the order of the rows of `dataset.path`. Received: "
            f"{votes_path} agrees with the labels of {path} on {share:.0%} of the rows, where two thirds are usual. "
            "Give the two files of one copy, neither of them sorted anew."
        )
    return round(share, 4)


def majority(votes: np.ndarray) -> Verdict:
    """Gives a row the class that more than half of the votes are for.

    Args:
        votes: int (n, 10), see `Ballots`.
    """
    counted = _counted(votes)
    agreed = counted.max(axis=1) > _MAJORITY * counted.sum(axis=1)
    winners = counted.argmax(axis=1)
    outcomes = np.where(agreed, _outcome_of(winners), NO_AGREEMENT)
    kept = (outcomes == KEPT)[:, None]
    return Verdict((np.eye(len(_COLUMNS))[winners][:, : len(CLASSES)] * kept).astype(np.float32), outcomes)


def distribution(votes: np.ndarray) -> Verdict:
    """Gives a row the shares of its most frequent classes.

    Classes are taken from the most frequent one down, equal ones together, until they have three quarters of the votes,
    there are three of them, or `unknown` or `not a face` is next. They must have more than half of the votes, and be no
    more than three.

    Args:
        votes: int (n, 10), see `Ballots`.
    """
    counted = _counted(votes)
    total, left = counted.sum(axis=1), counted.copy()
    chosen = np.zeros((len(votes), len(CLASSES)))
    outcomes = np.full(len(votes), KEPT)
    going_on = np.ones(len(votes), bool)
    for _ in range(_MOST_CLASSES):
        going_on &= (chosen.sum(axis=1) < _ENOUGH * total) & ((chosen > 0).sum(axis=1) < _MOST_CLASSES)
        most = left.max(axis=1, keepdims=True)
        taken = (left == most) & going_on[:, None]
        chosen += np.where(taken, left, 0)[:, : len(CLASSES)]
        left[taken] = 0
        no_class = taken[:, len(CLASSES) :].any(axis=1)
        first = no_class & ~chosen.any(axis=1)
        outcomes[first] = _outcome_of(taken.argmax(axis=1))[first]
        going_on &= ~no_class
    agreed = (chosen.sum(axis=1) > _MAJORITY * total) & ((chosen > 0).sum(axis=1) <= _MOST_CLASSES)
    outcomes = np.where((outcomes == KEPT) & ~agreed, NO_AGREEMENT, outcomes)
    kept = (outcomes == KEPT)[:, None]
    shares = np.divide(chosen, chosen.sum(axis=1, keepdims=True), out=np.zeros_like(chosen), where=kept)
    return Verdict(shares.astype(np.float32), outcomes)


def _counted(votes: np.ndarray) -> np.ndarray:
    return np.where(votes < _LEAST_VOTES, 0, votes)


def _outcome_of(columns: np.ndarray) -> np.ndarray:
    """Returns what it means that a column has the most votes."""
    return np.array([*[KEPT] * len(CLASSES), UNKNOWN, NOT_A_FACE])[columns]


def _check_columns(names: Sequence[str], path: Path, option: str) -> None:
    missing = [name for name in ("usage", *_COLUMNS) if name not in names]
    if missing:
        raise DataError(
            f"`{option}` must be fer2013new.csv of https://github.com/microsoft/FERPlus, with the columns Usage, "
            f"{', '.join(CLASSES)}, unknown and NF. Received: {path} without {', '.join(missing)}."
        )
