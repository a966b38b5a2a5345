"""Sheets of what was found: what a person should look at before believing it.

Called by the doctor for data; returns matplotlib figures. It must not know where they belong.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from fer_exp.data.stored_rows import take
from fer_exp.doctor.pool import TRAIN, Finding, Pool
from fer_exp.reporting import image_sheets

_MOST, _MOST_GROUPS, _OF_A_GROUP, _OF_A_CLASS = 36, 15, 6, 10
_SIDE_BY_SIDE = {"duplicate_conflict", "near_duplicate", "near_duplicate_conflict", "mirrored", "near_leak_test"} | {
    "near_leak_val"
}


def sheets(pool: Pool, found: Sequence[Finding]) -> Iterator[tuple[str, Figure]]:
    """Yields a sheet for each finding that has something to show, under the name of its kind."""
    for finding in found:
        if not len(finding.rows):
            continue
        if finding.kind in _SIDE_BY_SIDE:
            yield finding.kind, _side_by_side(pool, finding)
        else:
            yield finding.kind, _one_by_one(pool, finding)


def of_each_class(pool: Pool) -> Figure:
    """Returns samples of each class in train; of what lies on disk, no more than these are read."""
    rows = np.flatnonzero(pool.splits == TRAIN)
    images, title = take(pool.images, rows), "Samples of each class in train"
    return image_sheets.samples(images, pool.labels[rows], pool.class_names, _OF_A_CLASS, title)


def _one_by_one(pool: Pool, finding: Finding) -> Figure:
    shown = finding.rows[:_MOST]
    if finding.groups:  # equal images need to be seen once
        firsts = [int(group.rows[0]) for group in finding.groups]
        shown = np.array(firsts[:_MOST])
    captions = [_caption(pool, finding, number, int(row)) for number, row in enumerate(shown)]
    total = len(finding.groups) or len(finding.rows)
    unit = "groups" if finding.groups else "images"
    subtitle = f"{len(shown)} of {total:,} {unit}" + (
        "; given → suggested label" if finding.suggested is not None else ""
    )
    images = [pool.images[int(row)] for row in shown]
    return image_sheets.captioned([images], [captions], finding.title, subtitle)


def _caption(pool: Pool, finding: Finding, number: int, row: int) -> str:
    if finding.suggested is not None:
        return f"{pool.label(row)} → {pool.class_names[finding.suggested[number]]}\n{pool.names[row]}"
    if finding.groups:
        labels = ", ".join(pool.class_names[label] for label in finding.groups[number].labels)
        return f"{len(finding.groups[number].rows)} times\n{labels}"
    return f"{pool.label(row)}\n{pool.names[row]}"


def _side_by_side(pool: Pool, finding: Finding) -> Figure:
    groups = finding.groups[:_MOST_GROUPS]
    rows = [group.rows[:_OF_A_GROUP].tolist() for group in groups]
    images = [[pool.images[row] for row in group] for group in rows]
    captions = [[f"{pool.label(row)}\n{pool.split(row)}" for row in group] for group in rows]
    subtitle = f"{len(groups)} of {len(finding.groups):,} groups, one a frame; below each image its label and split"
    return image_sheets.captioned(images, captions, finding.title, subtitle)
