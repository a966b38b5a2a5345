"""Train, val and test of a copy of FER2013: by the official protocol, or by fractions where a copy lacks a part.

Called by the data sets made from FER2013. The protocol is: train on `Training`, select on `PublicTest`, report on
`PrivateTest`. It must not know whether a csv or a folder was read.

Source: Goodfellow et al., "Challenges in Representation Learning", 2013, https://arxiv.org/abs/1307.0414.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_exp.data.folders.classes import split_of
from fer_exp.data.fractions import SplitSpec, draw_fractions
from fer_exp.data.pixel_csv import USAGES
from fer_exp.dataset import Split
from fer_exp.errors import DataError

_TRAINING = "Training"
_log = logging.getLogger(__name__)


def choose_rows(
    labels: np.ndarray,
    parts: np.ndarray,
    val: SplitSpec,
    test: SplitSpec,
    seed: int,
    source: Path,
    class_names: Sequence[str],
) -> dict[str, np.ndarray]:
    """Returns the row numbers of train, val and test, sorted.

    Args:
        labels: int (n,), what fractions are stratified by.
        parts: str (n,), see `Faces`; images of `Training` and of no known part may be trained on.
        val: A part, or a stratified fraction of the training images.
        test: The same.
        seed: Seed of the fractions.
        source: File or folder, for the messages.
        class_names: Name of each label, for the messages.

    Raises:
        DataError: If the parts that are asked for are not there or are the same.
    """
    specs = {"val": _part(val), "test": _part(test)}
    if specs["val"] == specs["test"] and isinstance(val, str):
        raise DataError(
            f"`dataset.val` and `dataset.test` must be different images. Received: {val} for both. Take a "
            f"part of the training images instead: dataset.val=0.1 dataset.test={test}"
        )
    rows = {name: _rows_of_part(parts, spec, name, source) for name, spec in specs.items() if isinstance(spec, str)}
    train = np.flatnonzero((parts == _TRAINING) | (parts == ""))
    if not len(train):
        raise DataError(f"{source} has no images of Usage {_TRAINING}. It holds: {_shown(_counts(parts))}.")
    rows |= draw_fractions(labels, train, val, test, seed, class_names, str(source))
    return {name: rows[name] for name in ("train", "val", "test")}


def notes_on(
    parts: np.ndarray, rows: Mapping[str, np.ndarray], splits: Mapping[str, Split], class_names: tuple[str, ...]
) -> dict[str, Any]:
    """Returns what is worth recording: images that no split has, and classes that a split lacks.

    Args:
        parts: str (n,), see `Faces`.
        rows: From `choose_rows`.
        splits: What became of them.
        class_names: Name of each class, in label order.
    """
    notes: dict[str, Any] = {}
    unused = np.setdiff1d(np.arange(len(parts)), np.concatenate(list(rows.values())))
    if len(unused):
        notes["unused_rows"] = _counts(parts[unused])
        own = [f"dataset.{'val' if part in ('PublicTest', 'val') else 'test'}={part}" for part in notes["unused_rows"]]
        _log.warning(
            "In none of train, val and test are: %s. They are used with %s.",
            _shown(notes["unused_rows"]), " ".join(own),
        )  # fmt: skip
    missing = {name: _missing_classes(split, class_names) for name, split in splits.items()}
    if any(missing.values()):
        notes["missing_classes"] = {name: classes for name, classes in missing.items() if classes}
    return notes


def _part(spec: SplitSpec) -> SplitSpec:
    """Returns a split folder by its usual name, anything else as it is."""
    if not isinstance(spec, str) or spec.casefold() in map(str.casefold, USAGES) or _is_training(spec):
        return spec
    return split_of(spec) or spec


def _is_training(part: str) -> bool:
    return split_of(part) == "train"


def _rows_of_part(parts: np.ndarray, part: str, name: str, source: Path) -> np.ndarray:
    if _is_training(part):
        raise DataError(f"`dataset.{name}` must not be the images that are trained on. Received: {part}.")
    rows = np.flatnonzero(parts == part)
    if not len(rows):
        raise DataError(_absent(_counts(parts), part, name, source))
    return rows


def _absent(counts: Mapping[str, int], part: str, name: str, source: Path) -> str:
    """Returns what to do about a part that is not there."""
    if set(counts) == {""}:
        return (
            f"`dataset.{name}`={part} names a Usage, but {source} tells none: a csv does by its column Usage, a folder "
            "by file names such as PublicTest_1.jpg. Give fractions of its images: dataset.val=0.1 dataset.test=0.1"
        )
    start = f"`dataset.{name}`={part}: {source} holds no such images. It holds: {_shown(counts)}."
    folders = [folder for folder in ("val", "test") if folder in counts]
    if len(folders) == 1:
        return (
            f"{start} The file names in its folder {folders[0]} do not tell PublicTest from PrivateTest "
            "(as PublicTest_1.jpg does): the two are merged there. Report on all of it, and take a part of the "
            f"training images for validation: dataset.val=0.1 dataset.test={folders[0]}"
        )
    if folders:
        return (
            f"{start} Its file names do not tell PublicTest from PrivateTest. Take the folders as they are: "
            "dataset.val=val dataset.test=test"
        )
    if {"PublicTest", "PrivateTest"} <= set(counts):
        return f"{start} The official split: dataset.val=PublicTest dataset.test=PrivateTest"
    return f"{start} For a copy without PrivateTest: dataset.val=0.1 dataset.test=PublicTest"


def _counts(parts: np.ndarray) -> dict[str, int]:
    return dict(Counter(parts.tolist()))


def _shown(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{part or 'of no known Usage'} ({n:,} images)" for part, n in counts.items()) or "nothing"


def _missing_classes(split: Split, class_names: tuple[str, ...]) -> list[str]:
    present = set(split.labels.tolist())
    return [name for label, name in enumerate(class_names) if label not in present]
