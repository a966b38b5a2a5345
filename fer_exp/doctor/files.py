"""What was found, as CSV files: a list of everything, and those that a data set takes as corrections.

Called by the doctor for data. It decides which images may be left out without a look, and nothing else.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fer_exp.doctor.pool import SPLIT_NAMES, TEST, TRAIN, VAL, Finding, Group, Pool


def findings(pool: Pool, found: Sequence[Finding]) -> pd.DataFrame:
    """Returns one row for each image of each finding: name, split, label, kind, detail."""
    rows = []
    for finding in found:
        for row, detail in zip(finding.rows.tolist(), finding.details, strict=True):
            rows.append((pool.names[row], pool.split(row), pool.label(row), finding.kind, detail))
        rows += [(name, "", "", finding.kind, detail) for name, detail in finding.missing]
    return pd.DataFrame(rows, columns=["name", "split", "label", "kind", "detail"])


def exclude(pool: Pool, found: Sequence[Finding], same: Sequence[Group], alike: Sequence[Group]) -> pd.DataFrame:
    """Returns the images of train and val that can be left out: name, split, label, reason.

    They are blank or no face, in val or test too (nearly, even), or equal to an earlier image of train. Of equal images
    in train with different labels, the one that stays has the most frequent label. Test images are never listed.
    """
    reasons: dict[int, str] = {}
    for finding in found:
        if finding.kind in ("blank", "not_a_face"):
            reasons |= dict.fromkeys(finding.rows.tolist(), finding.kind)
    for groups, how in ((same, ""), (alike, "nearly ")):
        for group in groups:
            reasons = {**_leaking(pool, group, how), **reasons}
    for group in same:
        train = [row for row in group.rows.tolist() if pool.splits[row] == TRAIN and row not in reasons]
        if len(train) > 1:
            label = Counter(pool.labels[train].tolist()).most_common(1)[0][0]
            stays = next(row for row in train if pool.labels[row] == label)
            reasons |= {row: f"equal to {pool.called(stays)}" for row in train if row != stays}
    kept = [(row, reason) for row, reason in sorted(reasons.items()) if pool.splits[row] != TEST]
    rows = [(pool.names[row], pool.split(row), pool.label(row), reason) for row, reason in kept]
    return pd.DataFrame(rows, columns=["name", "split", "label", "reason"])


def _leaking(pool: Pool, group: Group, how: str) -> Mapping[int, str]:
    """Returns the images of a group that a later split has too, and which that is."""
    reasons: dict[int, str] = {}
    for later in (TEST, VAL):
        there = group.rows[pool.splits[group.rows] == later]
        earlier = (TRAIN, VAL) if later == TEST else (TRAIN,)
        if len(there):
            leaking = group.rows[np.isin(pool.splits[group.rows], earlier)]
            text = f"{how}in {SPLIT_NAMES[later]}: {pool.names[there[0]]}"
            reasons = {**dict.fromkeys(leaking.tolist(), text), **reasons}
    return reasons
