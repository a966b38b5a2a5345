"""How many images each class and split has, against what was published, and how uneven that is.

Called by the doctor for data. It looks at labels only.

Source of the effective number: Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", 2019,
https://arxiv.org/abs/1901.05555.
"""

from collections.abc import Sequence

import numpy as np

from fer_exp.data.emotions import canonical
from fer_exp.doctor.pool import SPLIT_NAMES, TRAIN, Finding, Pool
from fer_exp.doctor.published import Part
from fer_exp.reporting.abridged import listed, spread

_BETA = 0.9999
_MOST_ROWS = 200  # of the table


def table(pool: Pool) -> np.ndarray:
    """Returns the images of each class in each split, int (classes, 3)."""
    columns = [np.bincount(pool.labels[pool.splits == n], minlength=len(pool.class_names)) for n in range(3)]
    return np.stack(columns, axis=1)


def remarks(pool: Pool) -> list[str]:
    """Returns how uneven the classes of the training split are, in words."""
    counts = table(pool)[:, TRAIN]
    held = counts[counts > 0]
    most, least = counts.argmax(), np.where(counts > 0, counts, counts.max() + 1).argmin()
    effective = (1 - _BETA**counts) / (1 - _BETA)
    even = np.exp(-(held / held.sum() * np.log(held / held.sum())).sum())
    names = pool.class_names
    return [
        f"The largest class in train, {names[most]}, has {counts[most] / counts[least]:.1f} times the images of the "
        f"smallest, {names[least]}; effective numbers (beta {_BETA}): {effective[most]:,.0f} and "
        f"{effective[least]:,.0f}. In entropy that is as {even:.1f} classes of equal size, of {len(held)}."
    ]


def examine(pool: Pool, parts: Sequence[Part]) -> Finding:
    """Compares the numbers of images with the published ones, and looks for classes that a split lacks.

    Args:
        pool: The images.
        parts: What was published of the data set.
    """
    counts, details = table(pool), []
    for number, split in enumerate(SPLIT_NAMES):
        absent = [name for name, count in zip(pool.class_names, counts[:, number], strict=True) if not count]
        if absent:
            details.append((f"{split}: {listed(absent)}", "no image of this class"))
    for part in parts:
        details += _against_published(counts, pool.class_names, part)
    return Finding(
        "counts", "Counts that differ from what they should be", np.empty(0, np.int64), (),
        "Another copy may be complete; numbers on this one are not those of the published protocol.", missing=details,
    )  # fmt: skip


def _against_published(counts: np.ndarray, class_names: Sequence[str], part: Part) -> list[tuple[str, str]]:
    held = counts[:, list(part.splits)].sum(axis=1)
    if part.classes:
        found = {
            f"{part.title}, {name}": (int(count), part.classes.get(canonical(name), 0))
            for name, count in zip(class_names, held, strict=True)
        }
    else:
        found = {part.title: (int(held.sum()) + part.dropped, part.total)}
    return [
        (title, f"{count:,} images, published are {official:,}")
        for title, (count, official) in found.items()
        if count != official
    ]


def sheet(pool: Pool, parts: Sequence[Part]) -> list[list[str]]:
    """Returns the table as text, header first and sums last, with a column for each part of known size.

    Args:
        pool: The images.
        parts: What was published of the data set.
    """
    counts = table(pool)
    header = ["class", *SPLIT_NAMES, *(f"official {part.title}" for part in parts)]
    rows = []
    every = len(pool.class_names)
    for label in spread(every, _MOST_ROWS):
        name, numbers = pool.class_names[label], counts[label].tolist()
        official = [part.classes.get(canonical(name)) for part in parts]
        rows.append([name, *(f"{n:,}" for n in numbers), *("" if n is None else f"{n:,}" for n in official)])
    sums = [*counts.sum(axis=0).tolist(), *(part.total for part in parts)]
    if len(rows) < every:
        rows.append([f"... {every - len(rows):,} more classes", *[""] * (len(header) - 1)])
    return [header, *rows, ["all", *(f"{n:,}" for n in sums)]]
