"""How many images each class and split has, against what was published, and how uneven that is.

Called by the doctor for data. It looks at labels only.

Source of the effective number: Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", 2019,
https://arxiv.org/abs/1901.05555.
"""

from collections.abc import Mapping

import numpy as np

from fer_exp.data.fer2013_facts import OFFICIAL_COUNTS
from fer_exp.doctor.pool import SPLIT_NAMES, TEST, TRAIN, VAL, Finding, Pool

_BETA = 0.9999


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


def examine(pool: Pool, dataset: Mapping[str, object]) -> Finding:
    """Compares a copy of FER2013 with the published numbers, and looks for classes that a split lacks.

    Args:
        pool: The images.
        dataset: Node of the data set.
    """
    counts, details = table(pool), []
    for number, split in enumerate(SPLIT_NAMES):
        absent = [name for name, count in zip(pool.class_names, counts[:, number], strict=True) if not count]
        if absent:
            details.append((f"{split}: {', '.join(absent)}", "no image of this class"))
    if str(dataset.get("_target_", "")).split(".")[-2:-1] == ["fer2013"]:
        details += _against_published(counts, pool.class_names, dataset)
    return Finding(
        "counts", "Counts that differ from what they should be", np.empty(0, np.int64), (),
        "Another copy may be complete; numbers on this one are not those of the published protocol.", missing=details,
    )  # fmt: skip


def _against_published(
    counts: np.ndarray, class_names: tuple[str, ...], dataset: Mapping[str, object]
) -> list[tuple[str, str]]:
    specs = {VAL: dataset["val"], TEST: dataset["test"]}
    drawn = [split for split, spec in specs.items() if not isinstance(spec, str)]
    if len(drawn) == 2:
        return []  # a file without Usage may be any part of it
    held = counts[:, [TRAIN, *drawn]].sum(axis=1)  # fractions are taken out of Training
    details = []
    for name, count in zip(class_names, held.tolist(), strict=True):
        published = OFFICIAL_COUNTS["Training"][name]
        if count != published:
            details.append((f"Training, {name}", f"{count:,} images, published are {published:,}"))
    for split, spec in specs.items():
        count, published = int(counts[:, split].sum()), sum(OFFICIAL_COUNTS.get(str(spec), {}).values())
        if published and count != published:
            details.append((str(spec), f"{count:,} images, published are {published:,}"))
    return details
