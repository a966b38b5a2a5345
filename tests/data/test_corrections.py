"""What is left out or labelled anew by file: by name, counted, never in the test split, and only where it belongs."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_exp.data.corrections import Corrections
from fer_exp.dataset import Split, Splits, assemble
from fer_exp.errors import DataError

CLASSES = ("calm", "loud")


def data(corrections: Corrections, classes: Sequence[str] = CLASSES, **more: Any) -> Splits:
    """Rows 0 to 3 are train, 4 to 7 val, 8 to 11 test; even ones are of the first class, odd ones of the second."""

    def split(first: int) -> Split:
        images = np.full((4, 2, 2, 1), first, np.uint8)
        names = np.array([f"row {row}" for row in range(first, first + 4)])
        return Split.of_images(images, np.array([0, 1, 0, 1]), names=names)

    splits = {"train": split(0), "val": split(4), "test": split(8)}
    return assemble(splits, tuple(classes), "made", corrections=corrections, **more)


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
        "left_out_anyway": 0,
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


@pytest.mark.parametrize(("split", "rows"), [("train", range(4)), ("val", range(4, 8))])
def test_a_split_that_nothing_is_left_of_is_refused(tmp_path: Path, split: str, rows: range) -> None:
    exclude = file(tmp_path, "out.csv", "name\n" + "".join(f"row {row}\n" for row in rows))
    with pytest.raises(DataError, match=rf"must leave images in train and val\. .* all 4 of {split}\. Take rows out"):
        data(Corrections(exclude, None))


def test_a_class_that_loses_its_training_images_is_refused_with_the_option_that_took_them(tmp_path: Path) -> None:
    exclude = file(tmp_path, "out.csv", "name\nrow 1\n")
    relabel = file(tmp_path, "new.csv", "name,label\nrow 3,calm\n")
    assert data(Corrections(exclude, None)).notes["corrections"]["excluded_from_train"] == 1
    with pytest.raises(DataError, match=r"of every class that val has\. Without any: loud") as caught:
        data(Corrections(exclude, relabel))
    assert "loud (`dataset.exclude` takes 1, `dataset.relabel` takes 1). Take some of these" in str(caught.value)
    exclude = file(tmp_path, "out.csv", "name\nrow 1\nrow 3\nrow 5\nrow 7\n")  # of val too: test is left
    with pytest.raises(DataError, match=r"that test has\. Without any: loud \(`dataset\.exclude` takes 2\)"):
        data(Corrections(exclude, None))


def test_a_class_that_val_alone_loses_is_warned_about_and_noted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = data(Corrections(file(tmp_path, "out.csv", "name\nrow 4\nrow 6\n"), None))
    assert found.notes["emptied_classes"] == {"val": ["calm"]}
    assert "leave no image in val of: calm." in caplog.text


def test_files_that_say_the_labels_of_these_data_are_applied(tmp_path: Path) -> None:
    exclude = file(tmp_path, "out.csv", "name,label,reason\nrow 1,LOUD,blank\nrow 8,calm,copy\nrow 6,,copy\n")
    relabel = file(tmp_path, "new.csv", "name,given,label\nrow 0,calm,loud\n")
    found = data(Corrections(exclude, relabel))
    assert found.train.names.tolist() == ["row 0", "row 2", "row 3"]
    assert found.train.labels.tolist() == [1, 0, 1]
    assert found.val.names.tolist() == ["row 4", "row 5", "row 7"]


def test_files_made_of_another_copy_are_refused_with_what_does_not_agree(tmp_path: Path) -> None:
    rows = "".join(f"row {row},{CLASSES[(row + 1) % 2]},{CLASSES[row % 2]}\n" for row in range(6))  # moved by one row
    relabel = file(tmp_path, "new.csv", "name,given,label\n" + rows)
    with pytest.raises(DataError, match=r"`dataset\.relabel` must be made of these data: its column `given`") as caught:
        data(Corrections(None, relabel))
    text = str(caught.value)
    assert f"Received: {relabel} with row 0 as loud, which is calm here; row 1 as calm, which is loud here;" in text
    assert "; ... (6 of 6 do not agree)." in text
    assert "Make it anew by the doctor for data; or, if the names are right, remove that column." in text
    assert "\n" not in text
    exclude = file(tmp_path, "out.csv", "name,label\nrow 0,calm\nrow 1,calm\nrow 2,calm\n")
    with pytest.raises(DataError, match=r"`dataset\.exclude` .* column `label` .*row 1 as calm.*\(1 of 3 do not agree"):
        data(Corrections(exclude, None))


def test_suspects_can_be_left_out_instead_of_labelled_anew(tmp_path: Path) -> None:
    suspects = file(tmp_path, "relabel.csv", "name,given,label\nrow 0,calm,loud\n")
    assert data(Corrections(suspects, None)).train.names.tolist() == ["row 1", "row 2", "row 3"]


def test_what_was_found_in_the_relabelled_data_can_be_left_out_of_them(tmp_path: Path) -> None:
    relabel = file(tmp_path, "new.csv", "name,given,label\nrow 0,calm,loud\n")
    exclude = file(tmp_path, "out.csv", "name,label\nrow 0,loud\n")
    assert data(Corrections(exclude, relabel)).train.names.tolist() == ["row 1", "row 2", "row 3"]


def test_images_that_the_data_set_has_left_out_may_be_named_and_others_not(tmp_path: Path) -> None:
    exclude = file(tmp_path, "out.csv", "name,label\nrow 99,gone\nrow 1,loud\n")
    found = data(Corrections(exclude, None), left_out=["row 99", "row 98"])
    assert found.notes["corrections"]["left_out_anyway"] == 1
    assert found.left_out == {"row 98", "row 99", "row 1"}
    with pytest.raises(DataError, match=r"Unknown: row 99 \(1 in all\)"):
        data(Corrections(exclude, None), left_out=["row 98"])


def test_labels_are_understood_in_any_spelling(tmp_path: Path) -> None:
    relabel = file(tmp_path, "new.csv", "name,given,label\nrow 0,Happy,ANGRY\n")
    found = data(Corrections(None, relabel), ("happiness", "anger"))
    assert found.train.labels.tolist() == [1, 1, 0, 1]


def test_spellings_that_are_two_classes_are_told_apart(tmp_path: Path) -> None:
    relabel = file(tmp_path, "new.csv", "name,label\nrow 0,happy\n")
    assert data(Corrections(None, relabel), ("happiness", "happy")).train.labels.tolist() == [1, 1, 0, 1]
    relabel = file(tmp_path, "new.csv", "name,label\nrow 0,Happy\n")
    with pytest.raises(DataError, match=r"must give labels among happiness, happy\. Received: Happy\."):
        data(Corrections(None, relabel), ("happiness", "happy"))
