"""FER2013, read from any published variant of its csv, or from a copy in folders; and csv files of the same form.

Called through `config.build`. How a copy is read is the business of `pixel_csv` and `fer2013_source.folder`, how it is
divided that of `fer2013_source.division`.

Source: Goodfellow et al., "Challenges in Representation Learning", 2013, https://arxiv.org/abs/1307.0414.
"""

from pathlib import Path
from typing import Any, Literal

from fer_exp.data import pixel_csv
from fer_exp.data.corrections import Corrections
from fer_exp.data.emotions import EIGHT
from fer_exp.data.fer2013_source import Faces, division, folder, left_out, of_table
from fer_exp.data.fractions import SplitSpec
from fer_exp.dataset import Split, Splits, assemble
from fer_exp.errors import DataError
from fer_exp.signature import InputPath, NonNegativeInt


def glance(*, path: str, classes: Literal[7, 8], **others: Any) -> None:
    """Refuses a csv with other columns, or a folder without images; see the contract."""
    source = Path(path).expanduser().absolute()
    if source.is_dir():
        folder.glance(source)
    else:
        pixel_csv.glance(source, classes)


def build(
    *,
    path: InputPath,
    val: SplitSpec,
    test: SplitSpec,
    classes: Literal[7, 8],
    on_bad_row: Literal["error", "skip"],
    split_seed: NonNegativeInt,
    exclude: InputPath | None,
    relabel: InputPath | None,
    cache_dir: str,
) -> Splits:
    """Reads FER2013 and divides it.

    Args:
        path: File `fer2013.csv`, `icml_face_data.csv` or Kaggle's `train.csv`; plain, .gz, .zip or
            .tar.gz; or the folder that holds `train` and `test` (Kaggle's folder copy), or `Training`, `PublicTest`
            and `PrivateTest`. `~` expands. The csv is `fer2013.tar.gz` of the Kaggle challenge
            `challenges-in-representation-learning-facial-expression-recognition-challenge`;
            dataset=synthetic works without a download.
        val: Validation split: a Usage (`PublicTest`; of a folder by its file names), a folder (`val`) whose file names
            do not tell, or a stratified fraction of the training images, above 0 and below 1.
        test: Test split: the same choices (`PrivateTest`).
        classes: Either 7, or 8 with contempt as code 7, as `ckextended.csv` has it (CK+ in the form of FER2013's csv).
        on_bad_row: Either `error` (the first malformed row, or image that cannot be decoded, stops the run) or `skip`
            (such rows are left out and counted).
        split_seed: Seed of the stratified fractions, at least 0.
        exclude: CSV with a column `name`: images of train and val to leave out; null for none.
        relabel: CSV with the columns `name` and `label`: images of train and val to label anew; null for none.
        cache_dir: Folder that keeps the parsed arrays between runs; may be deleted at any time. `~` expands.

    Raises:
        DataError: If the file is missing or malformed, or does not hold the splits that are asked for.
    """
    source = Path(path).expanduser().absolute()
    names = EIGHT[:classes]
    faces, notes = _read(source, names, on_bad_row, cache_dir)
    rows = division.choose_rows(faces.labels, faces.parts, val, test, split_seed, source, names)
    whole = Split.of_images(faces.images, faces.labels, names=faces.names)
    splits = {name: whole.take(chosen) for name, chosen in rows.items()}
    notes |= division.notes_on(faces.parts, rows, splits, names)
    notes |= folder.warn_of_merged(faces.parts, rows["test"], source)
    corrections = Corrections(exclude, relabel)
    return assemble(splits, names, str(source), notes, corrections, left_out(faces, rows.values()))


def _read(
    source: Path, names: tuple[str, ...], on_bad_row: Literal["error", "skip"], cache_dir: str
) -> tuple[Faces, dict[str, Any]]:
    if source.is_dir():
        return folder.load(source, names, on_bad_row, cache_dir)
    if not source.exists():
        raise DataError(
            f"`dataset.path` must be an existing file or folder. Received: {source}. FER2013 is `fer2013.tar.gz` of "
            "the Kaggle challenge https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-"
            "challenge/data (sign in and accept its rules); dataset=synthetic works without a download."
        )
    table, notes = pixel_csv.load(source, on_bad_row, cache_dir, len(names))
    return of_table(table), notes
