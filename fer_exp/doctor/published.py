"""How many images the parts of a data set should have, as published, and which splits hold each part.

Called by the doctor for data. It knows what the options of `dataset` make of the parts, and looks at no image.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fer_exp.data import published_counts as published
from fer_exp.data.fer2013_facts import OFFICIAL_COUNTS
from fer_exp.doctor.pool import SPLIT_NAMES, TEST, TRAIN, VAL
from fer_exp.options import config


@dataclass(frozen=True)
class Part:
    """A part of a data set whose size is published.

    Attributes:
        title: What it is called.
        splits: Positions in `SPLIT_NAMES` of the splits that hold it, together, and nothing else.
        total: Its images.
        classes: Its images of each class, expressions as in `EIGHT`; empty where the total alone is known.
        dropped: Its images that the reader left out as it was told to.
    """

    title: str
    splits: tuple[int, ...]
    total: int
    classes: Mapping[str, int]
    dropped: int = 0


_Parts = Callable[[Mapping[str, Any], Mapping[str, Any]], list[Part]]


def parts(dataset: Mapping[str, Any], notes: Mapping[str, Any], folded: bool) -> list[Part]:
    """Returns the parts of a data set of which numbers are published.

    Args:
        dataset: Node of the data set.
        notes: What its reader noted.
        folded: Whether train and val were put together and divided anew.
    """
    known: dict[str, _Parts] = {"fer2013": _fer2013, "ferplus": _ferplus, "ckplus": _ckplus, "affectnet": _affectnet}
    known["rafdb"] = _rafdb
    name = config.option_name(dataset)
    found = known[name](dataset, notes) if name in known else []
    found = [_corrected(part, notes["corrections"]) for part in found] if "corrections" in notes else found
    return _folded(found) if folded else found


def _part(title: str, splits: tuple[int, ...], classes: Mapping[str, int]) -> Part:
    return Part(title, splits, sum(classes.values()), classes)


def _corrected(part: Part, corrections: Mapping[str, int]) -> Part:
    """Returns a part after corrections, which leave test as it is: of other splits the total can still be told."""
    if part.splits == (TEST,):
        return part
    excluded = sum(corrections.get(f"excluded_from_{SPLIT_NAMES[split]}", 0) for split in part.splits)
    return dataclasses.replace(part, classes={}, dropped=part.dropped + excluded)


def _folded(found: list[Part]) -> list[Part]:
    """Returns parts after train and val became one; what was known of one of them alone is known no more."""
    development = [part for part in found if part.splits != (TEST,)]
    tests = [part for part in found if part.splits == (TEST,)]
    if {split for part in development for split in part.splits} != {TRAIN, VAL}:
        return tests
    classes: dict[str, int] = {}
    for part in development:
        classes |= {name: classes.get(name, 0) + count for name, count in part.classes.items()}
    total, dropped = (sum(getattr(part, what) for part in development) for what in ("total", "dropped"))
    return [Part(" and ".join(part.title for part in development), (TRAIN, VAL), total, classes, dropped), *tests]


def _drawn(dataset: Mapping[str, Any]) -> list[int]:
    """Returns the splits that are fractions of the training images."""
    return [split for split, key in ((VAL, "val"), (TEST, "test")) if not isinstance(dataset.get(key), str)]


def _fer2013(dataset: Mapping[str, Any], _: Mapping[str, Any]) -> list[Part]:
    drawn = _drawn(dataset)
    if len(drawn) == 2 or dataset.get("classes", 7) != 7:
        return []  # a file without Usage may be any part of it, one with contempt is another data set
    found = [_part("Training", (TRAIN, *drawn), OFFICIAL_COUNTS["Training"])]
    for split, usage in ((VAL, dataset["val"]), (TEST, dataset["test"])):
        found += [_part(usage, (split,), OFFICIAL_COUNTS[usage])] if usage in OFFICIAL_COUNTS else []
    return found


def _ferplus(dataset: Mapping[str, Any], notes: Mapping[str, Any]) -> list[Part]:
    """Of eight classes it is known what the rules leave; otherwise what they leave and drop must be FER2013 again."""
    drawn, dropped = _drawn(dataset), notes.get("dropped_rows", {})
    left = dict(published.FERPLUS_BY_MAJORITY)
    if dataset["label"] != "majority":
        left["Training"] = published.FERPLUS_BY_SHARES
    found = []
    for split, usage in ((TRAIN, "Training"), (VAL, dataset["val"]), (TEST, dataset["test"])):
        if usage not in left:
            continue
        splits = (TRAIN, *drawn) if split == TRAIN else (split,)
        # Fractions are by majority, whatever the images they are drawn from are labelled by.
        if dataset["classes"] == 8 and (len(splits) == 1 or dataset["label"] == "majority"):
            found.append(Part(usage, splits, left[usage], {}))
            continue
        gone = sum(sum(dropped.get(SPLIT_NAMES[number], {}).values()) for number in splits)
        title, total = f"{usage}, with what was dropped", sum(OFFICIAL_COUNTS[usage].values())
        found.append(Part(title, splits, total, {}, gone))
    return found


def _rafdb(_: Mapping[str, Any], __: Mapping[str, Any]) -> list[Part]:
    official = published.RAFDB
    return [_part("training", (TRAIN, VAL), official["training"]), _part("testing", (TEST,), official["testing"])]


def _affectnet(dataset: Mapping[str, Any], notes: Mapping[str, Any]) -> list[Part]:
    if notes.get("layout") != "npy":
        return []  # how many rows of the tables are left out differs from one account to the next
    official = {
        part: {name: count for name, count in classes.items() if dataset["classes"] == 8 or name != "contempt"}
        for part, classes in published.AFFECTNET.items()
    }
    found = [_part("training", (TRAIN, *_drawn(dataset)), official["training"])]
    named = [split for split in (VAL, TEST) if split not in _drawn(dataset)]
    return found + [_part("validation", (split,), official["validation"]) for split in named]


def _ckplus(dataset: Mapping[str, Any], notes: Mapping[str, Any]) -> list[Part]:
    frames, copied = dataset["frames"], notes.get("layout") == "CK+48"
    if copied:
        frames = min(frames, published.CKPLUS_COPY_FRAMES)
    elif frames > published.CKPLUS_COPY_FRAMES:
        return []  # how many sequences are shorter is not published
    sequences = published.CKPLUS_SEQUENCES
    classes = {name: frames * n for name, n in sequences.items() if name != "contempt" or dataset["contempt"] == "keep"}
    if dataset["neutral"]:
        classes["neutral"] = sum(sequences.values())
    return [_part("all images", (TRAIN, VAL, TEST), classes)]
