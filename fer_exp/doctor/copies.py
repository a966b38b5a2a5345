"""The same picture more than once: pixel for pixel, nearly, or mirrored; within a split and across.

Called by the doctor for data. Two images are near copies if their thumbnails, brightness and contrast taken out, point
in nearly the same direction. Of 48 pairs of FER2013 above the threshold that were looked at, all show the same
photograph, cropped, marked or compressed otherwise; pairs of different people begin at about 0.94.
"""

from collections.abc import Callable, Sequence, Set

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fer_exp.data import duplicates
from fer_exp.doctor.pool import SPLIT_NAMES, TEST, TRAIN, VAL, Finding, Group, Pool, grey, shrunk

THUMBNAIL = 16  # pixels a side
SAME_PHOTO = 0.96  # cosine between thumbnails
_LEAST_DEVIATION = 4.0  # of a thumbnail; without any structure, everything is like everything
_BLOCK = 2048


def exact(pool: Pool) -> list[Group]:
    """Returns groups of images that are equal in every pixel."""
    _, group_of = np.unique(duplicates.digests({"image": pool.images}).astype("S16"), return_inverse=True)
    return _groups(pool, group_of)


def near(
    pool: Pool, same: Sequence[Group], advance: Callable[[float], None] = lambda share: None
) -> tuple[list[Group], list[Group]]:
    """Returns groups of near copies, and groups in which some image is a mirrored near copy of another.

    Of images that are equal one alone is compared, and all are listed; groups of nothing but equal images are left out.

    Args:
        pool: The images.
        same: Groups of equal images.
        advance: Told the share that is done, 0 to 1.
    """
    first = np.ones(len(pool), bool)
    for group in same:
        first[group.rows[1:]] = False
    rows, unit = _unit_thumbnails(pool, first)
    pairs = _alike(unit, False, lambda share: advance(share / 2))
    turned = _alike(unit, True, lambda share: advance(0.5 + share / 2))
    return _joined(pool, rows[pairs], same), _joined(pool, rows[turned], same)


def _unit_thumbnails(pool: Pool, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows among the wanted, bool (n,), that have structure, and their thumbnails, of mean 0 and length 1.

    A thumbnail takes 1 KiB, so all are held: float32 (k, THUMBNAIL, THUMBNAIL).
    """
    unit = np.empty((int(wanted.sum()), THUMBNAIL, THUMBNAIL), np.float32)
    rows: list[np.ndarray] = []
    start = count = 0
    for part in grey(pool.images):
        thumbnails = shrunk(part, THUMBNAIL)
        thumbnails -= thumbnails.mean(axis=(1, 2), keepdims=True)
        length = np.linalg.norm(thumbnails, axis=(1, 2), keepdims=True)
        kept = wanted[start : start + len(part)] & (length[:, 0, 0] > _LEAST_DEVIATION * THUMBNAIL)
        rows.append(start + np.flatnonzero(kept))
        unit[count : count + len(rows[-1])] = thumbnails[kept] / length[kept]
        start, count = start + len(part), count + len(rows[-1])
    return np.concatenate(rows), unit[:count]


def _alike(unit: np.ndarray, mirrored: bool, advance: Callable[[float], None]) -> np.ndarray:
    """Returns pairs a < b of rows whose cosine, b perhaps mirrored, is above the threshold, int (k, 2).

    Every row is compared with every other, in blocks: n^2 x 128 multiply-adds.
    """
    found, count = [np.empty((0, 2), np.int64)], len(unit)
    flat = unit.reshape(count, THUMBNAIL**2)
    for start in range(0, count, _BLOCK):
        for other in range(start, count, _BLOCK):
            right = unit[other : other + _BLOCK]
            turned = (right[:, :, ::-1] if mirrored else right).reshape(len(right), THUMBNAIL**2)
            cosines = flat[start : start + _BLOCK] @ turned.T
            pairs = np.argwhere(cosines > SAME_PHOTO) + np.array([start, other])
            found.append(pairs[pairs[:, 0] < pairs[:, 1]])
        advance(1 - (1 - min(start + _BLOCK, count) / count) ** 2)
    return np.concatenate(found)


def _joined(pool: Pool, pairs: np.ndarray, same: Sequence[Group]) -> list[Group]:
    """Returns what hangs together by the pairs, each row with all that equal it."""
    equal = [np.stack([group.rows[:-1], group.rows[1:]], axis=1) for group in same]
    edges = np.concatenate([pairs, *equal])
    graph = coo_array((np.ones(len(edges), bool), edges.T), shape=(len(pool), len(pool)))
    component = connected_components(graph, directed=False)[1]
    concerned = set(component[pairs[:, 0]].tolist())
    return [group for group in _groups(pool, component) if component[group.rows[0]] in concerned]


def _groups(pool: Pool, group_of: np.ndarray) -> list[Group]:
    """Returns the groups of more than one row, by their first row."""
    order = np.argsort(group_of, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(group_of[order])) + 1)
    groups = [
        Group(r, *(tuple(np.unique(c[r]).tolist()) for c in (pool.labels, pool.splits))) for r in parts if len(r) > 1
    ]
    return sorted(groups, key=lambda group: int(group.rows[0]))


def of_each(groups: Sequence[Group], count: int) -> np.ndarray:
    """Returns the number of the group of each image, those of no group having one of their own, int (count,)."""
    numbers = np.arange(count)
    for group in groups:
        numbers[group.rows] = group.rows[0]
    return numbers


def examine(pool: Pool, same: Sequence[Group], alike: Sequence[Group], mirrored: Sequence[Group]) -> list[Finding]:
    """Says which groups there are, which of them contradict themselves, and which images leak between splits."""
    look = "Look at the labels, or leave these images out; seen twice is counted twice."
    kinds = [
        ("duplicate", "Images equal in every pixel", same, "exclude.csv keeps one of each in train."),
        ("near_duplicate", "Near copies: the same photograph, cropped or compressed otherwise", alike, look),
        ("mirrored", "Mirrored copies", mirrored, "With flips as augmentation they are copies."),
    ]
    findings: list[Finding] = []
    told: set[int] = set()
    for kind, title, groups, advice in kinds:
        findings.append(_finding(pool, kind, title, groups, advice))
        if kind != "mirrored":
            torn = [group for group in groups if len(group.labels) > 1]
            name = "Equal images" if kind == "duplicate" else "Near copies"
            findings.append(_finding(pool, f"{kind}_conflict", f"{name} with different labels", torn, look))
    for split, seen in ((TEST, (TRAIN, VAL)), (VAL, (TRAIN,))):
        for kind, groups, what in (("leak", same, "also in"), ("near_leak", alike, "nearly in")):
            across = [group for group in groups if split in group.splits and set(seen) & set(group.splits)]
            others = " or ".join(SPLIT_NAMES[number] for number in seen)
            title = f"Images of {SPLIT_NAMES[split]} {what} {others}"
            only = f"exclude.csv names their copies in {others}."
            found = _finding(pool, f"{kind}_{SPLIT_NAMES[split]}", title, across, only, split, told)
            told |= set(found.rows.tolist())
            findings.append(found)
    return findings


def _finding(
    pool: Pool,
    kind: str,
    title: str,
    groups: Sequence[Group],
    advice: str,
    split: int | None = None,
    told: Set[int] = frozenset(),
) -> Finding:
    """Lists the images of groups, of one split alone if it is given, without those told; different labels first."""
    ordered = sorted(groups, key=lambda group: (-len(group.labels), -len(group.rows), int(group.rows[0])))
    rows, details, shown = [], [], []
    for group in ordered:
        concerned = group.rows if split is None else group.rows[pool.splits[group.rows] == split]
        concerned = [row for row in concerned.tolist() if row not in told]
        shown += [group] if concerned else []
        for row in concerned:
            others = [pool.called(other) for other in group.rows if other != row]
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            rows.append(row)
            details.append(f"as {'; '.join(others[:3])}{more}")
    return Finding(kind, title, np.array(rows, np.int64), details, advice, shown)
