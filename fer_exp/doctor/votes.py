"""Images that annotators call not a face, by the votes of FER+, and those that a reader dropped by their votes.

Called by the doctor for data, if there is a file of votes. FER+ has one line for each row of `fer2013.csv`, in its
order, so an image is found by its position, which is in its name (`row 17`). Whether the two files belong together is
the business of `fer2013_source.ballots`, as for the data set `ferplus`.

Source: Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", 2016, https://arxiv.org/abs/1608.01041.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_exp.data import pixel_csv
from fer_exp.data.emotions import canonical
from fer_exp.data.fer2013_source import ballots
from fer_exp.data.fer2013_source.ballots import CLASSES
from fer_exp.doctor.pool import Finding, Pool
from fer_exp.errors import DataError

_NOT_A_FACE = len(CLASSES) + 1  # column, behind `unknown`


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


def read(file: Path, option: str, pool: Pool, dataset: Mapping[str, Any]) -> Votes:
    """Reads a file of votes and finds the line of each image.

    Args:
        file: `fer2013new.csv`; plain or packed as .gz, .zip or .tar.gz.
        option: How it was given, for the messages: `--votes` or `dataset.votes`.
        pool: The images.
        dataset: Node of the data set; its csv is compared with the votes, row by row.

    Raises:
        DataError: If it is not such a file, or does not fit the data set.
    """
    positions = _positions(pool, option)
    file, source = file.expanduser().absolute(), Path(str(dataset["path"])).expanduser().absolute()
    held = ballots.read(file, option)
    table, _ = pixel_csv.load(source, dataset["on_bad_row"], str(dataset["cache_dir"]))  # a moment ago it was cached
    held = ballots.joined(held, table, file, source, option)
    ballots.agreement(ballots.majority(held.votes), table.labels, file, source, option)
    counts = held.votes[np.searchsorted(table.rows, positions)]
    names = [canonical(name) for name in pool.class_names]
    label_of = np.array([names.index(canonical(name)) if canonical(name) in names else -1 for name in CLASSES])
    total, emotions = counts.sum(axis=1), counts[:, : len(CLASSES)]
    majority = np.where(2 * emotions.max(axis=1) > total, label_of[emotions.argmax(axis=1)], -1)
    return Votes(counts[:, _NOT_A_FACE], total, majority)


def _positions(pool: Pool, option: str) -> np.ndarray:
    """Returns the row of the csv that each image is, int (n,)."""
    words = [str(name).split(" ") for name in pool.names]
    if not all(len(word) == 2 and word[0] == "row" and word[1].isdecimal() for word in words):
        raise DataError(
            f"`{option}` needs a data set whose images are rows of fer2013.csv: dataset=fer2013 or dataset=ferplus. "
            f"Received: images called {pool.names[0]}."
        )
    return np.array([int(word[1]) for word in words])


def examine(pool: Pool, votes: Votes) -> Finding:
    """Finds images that more than half of the votes call not a face."""
    rows = np.flatnonzero(2 * votes.not_a_face > votes.total)
    rows = rows[np.argsort(-votes.not_a_face[rows], kind="stable")]
    details = [f"{votes.not_a_face[row]} of {votes.total[row]} votes" for row in rows]
    return Finding("not_a_face", "Not a face, say more than half of the votes", rows, details, "Leave them out.")


def dropped(notes: Mapping[str, Any]) -> Finding:
    """Returns how many images the reader dropped by their votes, in each split and for each reason.

    Args:
        notes: Of the data set; of several put together, those of each under its name and a dot.
    """
    missing, count = [], 0
    for key, value in notes.items():
        source, _, note = key.rpartition(".")
        if note == "dropped_rows":
            for split, reasons in value.items():
                before = f"{source}/{split}" if source else split
                missing += [(before, f"{reason.replace('_', ' ')}: {n:,} images") for reason, n in reasons.items()]
                count += sum(reasons.values())
    nothing = np.empty(0, np.int64)
    title, advice = "Dropped by the reader, by their votes", "They are in no split; see dataset.label for the rules."
    return Finding("dropped_by_votes", title, nothing, (), advice, missing=missing, count=count)
