"""Images that annotators call not a face, by the votes of FER+.

Called by the doctor for data, if there is a file of votes. FER+ has one line for each row of `fer2013.csv`, in its
order, so an image is found by its position, which is in its name (`row 17`).

Source: Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", 2016, https://arxiv.org/abs/1608.01041.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_exp.doctor.pool import Finding, Pool
from fer_exp.errors import DataError

_NOT_A_FACE = "NF"
_OTHERS = ("contempt", "unknown", _NOT_A_FACE)
_COLUMNS = {"anger": "angry", "fear": "fear", "disgust": "disgust", "happiness": "happy"} | {
    "sadness": "sad", "surprise": "surprise", "neutral": "neutral"}  # fmt: skip


@dataclass(frozen=True)
class Votes:
    """What the taggers say of each image of a pool.

    Attributes:
        not_a_face: int (n,), votes for that.
        total: int (n,), votes in all.
        majority: int (n,), the label that more than half of all votes are for; -1 where there is none.
    """

    not_a_face: np.ndarray
    total: np.ndarray
    majority: np.ndarray


def read(file: Path, pool: Pool) -> Votes:
    """Reads a file of votes and finds the line of each image.

    Raises:
        DataError: If it is not such a file, or does not fit the data set.
    """
    import pandas as pd

    try:
        table = pd.read_csv(file.expanduser())
    except (OSError, ValueError) as error:
        raise DataError(f"`--votes` must be a readable CSV. Received: {file} ({error}).") from error
    absent = [column for column in (*_COLUMNS, _NOT_A_FACE) if column not in table]
    if absent:
        raise DataError(
            f"`--votes` must be fer2013new.csv of FER+. Received: {file} without the column {', '.join(absent)}."
        )
    positions = _positions(pool, file, len(table))
    counts = table[[c for c in (*_COLUMNS, *_OTHERS) if c in table]].to_numpy(np.int64)
    emotions = [column for column, name in _COLUMNS.items() if name in pool.class_names]
    total, most = counts.sum(axis=1), table[emotions].to_numpy(np.int64)
    labels = np.array([pool.class_names.index(_COLUMNS[column]) for column in emotions])
    majority = np.where(2 * most.max(axis=1) > total, labels[most.argmax(axis=1)], -1)
    return Votes(table[_NOT_A_FACE].to_numpy(np.int64)[positions], total[positions], majority[positions])


def _positions(pool: Pool, file: Path, lines: int) -> np.ndarray:
    words = [str(name).split(" ") for name in pool.names]
    if not all(len(word) == 2 and word[0] == "row" and word[1].isdecimal() for word in words):
        raise DataError(
            "`--votes` needs a data set whose images are rows of fer2013.csv: dataset=fer2013. "
            f"Received: images called {pool.names[0]}."
        )
    positions = np.array([int(word[1]) for word in words])
    if positions.max() >= lines:
        raise DataError(
            f"`--votes` must have one line for each row of the data. Received: {file} with {lines:,} lines, and an "
            f"image at row {positions.max():,} (from 0). It belongs to another copy of FER2013."
        )
    return positions


def examine(pool: Pool, votes: Votes) -> Finding:
    """Finds images that more than half of the votes call not a face."""
    rows = np.flatnonzero(2 * votes.not_a_face > votes.total)
    rows = rows[np.argsort(-votes.not_a_face[rows], kind="stable")]
    details = [f"{votes.not_a_face[row]} of {votes.total[row]} votes" for row in rows]
    return Finding("not_a_face", "Not a face, say more than half of the votes", rows, details, "Leave them out.")
