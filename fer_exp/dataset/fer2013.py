"""FER2013, read from any published variant of its csv.

Called through `config.build`. Knows the official protocol (train on `Training`, select on `PublicTest`,
report on `PrivateTest`) and how to divide a copy that lacks a part of it; the csv itself is the business of
`pixel_csv`.

Source: Goodfellow et al., "Challenges in Representation Learning", 2013, https://arxiv.org/abs/1307.0414.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp import pixel_csv
from fer_exp.corrections import Corrections
from fer_exp.dataset import Split, Splits, SplitSpec, assemble, draw_fractions
from fer_exp.emotions import EMOTIONS
from fer_exp.errors import DataError
from fer_exp.pixel_csv import NO_USAGE, USAGES
from fer_exp.signature import InputPath, NonNegativeInt

_TRAINING = "Training"


def build(
    *,
    path: InputPath,
    val: SplitSpec,
    test: SplitSpec,
    on_bad_row: Literal["error", "skip"],
    split_seed: NonNegativeInt,
    exclude: InputPath | None,
    relabel: InputPath | None,
    cache_dir: str,
) -> Splits:
    """Reads FER2013 and divides it.

    Args:
        path: File `fer2013.csv`, `icml_face_data.csv` or Kaggle's `train.csv`; plain, .gz, .zip or
            .tar.gz. `~` expands. It is `fer2013.tar.gz` of the Kaggle challenge
            `challenges-in-representation-learning-facial-expression-recognition-challenge`;
            dataset=synthetic works without a download.
        val: Validation split: a Usage of the file (`PublicTest`), or a stratified fraction of the training
            rows, above 0 and below 1.
        test: Test split: a Usage of the file (`PrivateTest`), or a stratified fraction of the training
            rows, above 0 and below 1.
        on_bad_row: Either `error` (the first malformed row stops the run) or `skip` (such rows are left out
            and counted).
        split_seed: Seed of the stratified fractions, at least 0.
        exclude: CSV with a column `name`: images of train and val to leave out; null for none.
        relabel: CSV with the columns `name` and `label`: images of train and val to label anew; null for none.
        cache_dir: Folder that keeps the parsed arrays between runs; may be deleted at any time. `~` expands.

    Raises:
        DataError: If the file is missing or malformed, or does not hold the splits that are asked for.
    """
    file = Path(path).expanduser().absolute()
    _check_file(file)
    table, notes = pixel_csv.load(file, on_bad_row, cache_dir)
    rows = _choose_rows(table.labels, table.usages, val, test, split_seed, file)
    unused = np.setdiff1d(np.arange(len(table.labels)), np.concatenate(list(rows.values())))
    if len(unused):
        notes["unused_rows"] = {name: n for name, n in _count_usages(table.usages[unused]).items() if n}
    names = np.array([f"row {row}" for row in table.rows.tolist()])
    whole = Split(table.images, table.labels.astype(np.int64), names=names)
    splits = {name: whole.take(chosen) for name, chosen in rows.items()}
    missing = {name: _missing_classes(split) for name, split in splits.items() if _missing_classes(split)}
    if missing:
        notes["missing_classes"] = missing
    return assemble(splits, EMOTIONS, str(file), notes, Corrections(exclude, relabel))


def _check_file(file: Path) -> None:
    if file.is_dir():
        raise DataError(
            f"`dataset.path` must be a csv file, plain or packed. Received a folder: {file}. Give the file "
            "in it, or read a folder of images with dataset=image_folder."
        )
    if not file.exists():
        raise DataError(
            f"`dataset.path` must be an existing file. Received: {file}. FER2013 is `fer2013.tar.gz` of the "
            "Kaggle challenge https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-"
            "challenge/data (sign in and accept its rules); dataset=synthetic works without a download."
        )


def _choose_rows(
    labels: np.ndarray, usages: np.ndarray, val: SplitSpec, test: SplitSpec, seed: int, file: Path
) -> dict[str, np.ndarray]:
    """Returns the row numbers of train, val and test, sorted."""
    if val == test and isinstance(val, str):
        raise DataError(
            f"`dataset.val` and `dataset.test` must be different rows. Received: {val} for both. Take a "
            f"part of the training rows instead: dataset.val=0.1 dataset.test={test}"
        )
    specs = {"val": val, "test": test}
    rows = {name: _rows_of_usage(usages, spec, name, file) for name, spec in specs.items() if isinstance(spec, str)}
    train = np.flatnonzero((usages == USAGES.index(_TRAINING)) | (usages == NO_USAGE))
    if not len(train):
        raise DataError(f"{file} has no rows of Usage {_TRAINING}. It holds: {_shown(_count_usages(usages))}.")
    rows |= draw_fractions(labels, train, val, test, seed)
    return {name: rows[name] for name in ("train", "val", "test")}


def _rows_of_usage(usages: np.ndarray, usage: str, name: str, file: Path) -> np.ndarray:
    counts = _count_usages(usages)
    if (usages == NO_USAGE).all():
        raise DataError(
            f"`dataset.{name}`={usage} names a Usage, but {file} has no column Usage. Give fractions of its "
            "rows: dataset.val=0.1 dataset.test=0.1"
        )
    if usage == _TRAINING:
        raise DataError(f"`dataset.{name}` must not be the rows that are trained on. Received: {usage}.")
    if not counts.get(usage):
        raise DataError(
            f"`dataset.{name}`={usage}: {file} holds no such rows. It holds: {_shown(counts)}. For a copy "
            "without PrivateTest: dataset.val=0.1 dataset.test=PublicTest"
        )
    return np.flatnonzero(usages == USAGES.index(usage))


def _count_usages(usages: np.ndarray) -> dict[str, int]:
    return dict(zip(USAGES, np.bincount(usages, minlength=len(USAGES)).tolist(), strict=False))


def _shown(counts: dict[str, int]) -> str:
    return ", ".join(f"{usage} ({n:,} rows)" for usage, n in counts.items() if n) or "nothing"


def _missing_classes(split: Split) -> list[str]:
    present: Any = set(split.labels.tolist())
    return [name for label, name in enumerate(EMOTIONS) if label not in present]
