"""What is left out or labelled anew by file: by name, counted, never in the test split."""

from pathlib import Path

import numpy as np
import pytest

from fer_exp.data.corrections import Corrections
from fer_exp.dataset import Split, Splits, assemble
from fer_exp.errors import DataError

CLASSES = ("calm", "loud")


def data(corrections: Corrections) -> Splits:
    def split(first: int) -> Split:
        images = np.full((4, 2, 2, 1), first, np.uint8)
        names = np.array([f"row {row}" for row in range(first, first + 4)])
        return Split(images, np.array([0, 1, 0, 1]), names=names)

    splits = {"train": split(0), "val": split(4), "test": split(8)}
    return assemble(splits, CLASSES, "made", corrections=corrections)


def file(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_images_are_left_out_and_labelled_anew_by_name_and_counted(tmp_path: Path) -> None:
    exclude = file(tmp_path, "out.csv", "name,why\nrow 1,blank\nrow 6,blank\n")
    relabel = file(tmp_path, "new.csv", "label,name\nloud,row 0\n")
    found = data(Corrections(exclude, relabel))
    assert found.train.names.tolist() == ["row 0", "row 2", "row 3"]
    assert found.train.labels.tolist() == [1, 0, 1]
    assert found.val.names.tolist() == ["row 4", "row 5", "row 7"]
    assert found.notes["corrections"] == {
        "ignored_in_test": 0,
        "excluded_from_train": 1,
        "relabelled_in_train": 1,
        "excluded_from_val": 1,
        "relabelled_in_val": 0,
    }


def test_the_test_split_is_never_corrected(tmp_path: Path) -> None:
    plain = data(Corrections(None, None))
    found = data(Corrections(file(tmp_path, "out.csv", "name\nrow 8\nrow 0\n"), None))
    assert found.test.names.tolist() == plain.test.names.tolist()
    assert found.notes["corrections"]["ignored_in_test"] == 1


def test_corrected_data_has_another_digest(tmp_path: Path) -> None:
    relabelled = data(Corrections(None, file(tmp_path, "new.csv", "name,label\nrow 0,loud\n")))
    assert relabelled.sha256 != data(Corrections(None, None)).sha256


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("exclude", "image\nrow 0\n", "`dataset.exclude` must be a CSV with the column name. Received"),
        ("exclude", "name\nrow 99\n", "must name images of this data set"),
        ("relabel", "name,label\nrow 0,silent\n", "must give labels among calm, loud. Received: silent."),
        ("relabel", "name,label\nrow 0,loud\nrow 0,calm\n", "must name each image once. Received row 0"),
        ("exclude", "", "`dataset.exclude` must be a readable CSV"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, option: str, text: str, message: str) -> None:
    options = {"exclude": None, "relabel": None, option: file(tmp_path, "file.csv", text)}
    with pytest.raises(DataError, match=message.replace(".", r"\.")):
        data(Corrections(**options))
