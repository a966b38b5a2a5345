"""Kaggle's folder copy of FER2013: the official split by file names, copies that lost it, and every message."""

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer_exp.data.emotions import EMOTIONS
from fer_exp.data.fer2013_facts import OFFICIAL_COUNTS
from fer_exp.data.inputs import image
from fer_exp.dataset import Splits, fer2013
from fer_exp.errors import DataError

ALPHABETICAL = sorted(EMOTIONS)  # as the folders are listed; the codes of the csv are in another order
USAGES = {"Training": ("train", 10), "PublicTest": ("test", 1), "PrivateTest": ("test", 2)}


def face(label: int, usage: str, number: int) -> np.ndarray:
    """Pixels that tell label, part and number of the image."""
    pixels = np.zeros((48, 48), np.uint8)
    pixels[0, :3] = label, [*USAGES].index(usage), number
    return pixels


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The layout of the copy, all classes in all parts."""
    for usage, (folder, count) in USAGES.items():
        for label, name in enumerate(EMOTIONS):
            (tmp_path / "fer2013" / folder / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                path = tmp_path / "fer2013" / folder / name / f"{usage}_{100 * label + number}.png"
                Image.fromarray(face(label, usage, number)).save(path)
    return tmp_path / "fer2013"


def rename(root: Path, *parts: str) -> None:
    """Takes the part out of the file names, as many copies do."""
    for part in parts:
        for path in list(root.rglob(f"{part}_*")):
            path.rename(path.with_name(f"{part[:2]}{path.name.removeprefix(part)}"))


def build(path: Path, **options: Any) -> Splits:
    defaults = {
        "val": "PublicTest",
        "test": "PrivateTest",
        "classes": 7,
        "on_bad_row": "error",
        "split_seed": 0,
        "exclude": None,
        "relabel": None,
        "cache_dir": str(path.parent / "cache"),
    }
    return fer2013.build(**{"path": str(path)} | defaults | options)


@pytest.mark.parametrize("names", ["names", "codes"])
def test_folders_called_as_the_parts_are_have_the_official_split(names: str, root: Path, tmp_path: Path) -> None:
    """As scripts unpack the csv: a folder for each Usage, classes by code or by name, files by number."""
    expected = build(root)
    unpacked = tmp_path / "unpacked"
    for usage, (folder, _) in USAGES.items():
        for label, name in enumerate(EMOTIONS):
            target = unpacked / usage / (str(label) if names == "codes" else name)
            target.mkdir(parents=True)
            for path in (root / folder / name).glob(f"{usage}_*"):
                path.rename(target / path.name.removeprefix(f"{usage}_"))
    splits = build(unpacked)
    assert sizes(splits) == [70, 7, 14]
    assert splits.class_names == EMOTIONS
    assert splits.notes == {}
    for split, other in zip(
        (splits.train, splits.val, splits.test), (expected.train, expected.val, expected.test), strict=True
    ):
        assert split.images[:, 0, 0, 0].tolist() == split.labels.tolist()  # the first pixel is the code
        assert sorted(split.images[:, 0, :3, 0].tolist()) == sorted(other.images[:, 0, :3, 0].tolist())
    assert sizes(build(unpacked, val=0.1, test="PublicTest")) == [63, 7, 7]


def test_codes_of_another_data_set_are_refused_with_how_to_read_them(root: Path) -> None:
    for folder in ("train", "test"):
        for code, name in enumerate(EMOTIONS, start=1):
            (root / folder / name).rename(root / folder / str(code))
    with pytest.raises(
        DataError, match=r"or the codes 0 to 6 of its csv.*dataset=image_folder dataset\.codes=<.*rafdb"
    ):
        build(root)


def sizes(splits: Splits) -> list[int]:
    return [len(splits.train), len(splits.val), len(splits.test)]


def test_the_official_split_is_told_by_the_file_names(root: Path) -> None:
    splits = build(root)
    assert sizes(splits) == [70, 7, 14]
    for split, usage in zip((splits.train, splits.val, splits.test), range(3), strict=True):
        assert set(split.images[:, 0, 1, 0].tolist()) == {usage}
    assert splits.class_names == EMOTIONS
    assert splits.specs == image((48, 48, 1))
    assert splits.source == str(root)
    assert splits.notes == {}


def test_labels_are_told_by_the_name_of_the_folder_and_not_by_its_position(root: Path) -> None:
    (root / "train" / "happy").rename(root / "train" / "Happiness")
    splits = build(root)
    for split in (splits.train, splits.val, splits.test):
        assert split.labels.tolist() == split.images[:, 0, 0, 0].tolist()
    assert [EMOTIONS[label] for label in splits.val.labels] == ALPHABETICAL


def write_csv(path: Path) -> Path:
    lines = ["emotion,pixels,Usage"]
    for usage, (_, count) in USAGES.items():
        for label in range(7):
            for number in range(count):
                lines.append(f"{label},{' '.join(map(str, face(label, usage, number).ravel()))},{usage}")
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("options", [{}, {"val": 0.1}, {"val": 0.1, "test": "PublicTest"}])
def test_csv_and_folder_of_the_same_images_agree(options: dict[str, Any], root: Path, tmp_path: Path) -> None:
    of_folder, of_csv = build(root, **options), build(write_csv(tmp_path / "fer2013.csv"), **options)
    assert of_folder.notes == of_csv.notes
    assert sizes(of_folder) == sizes(of_csv)
    for name in ("train", "val", "test"):
        one, other = getattr(of_folder, name), getattr(of_csv, name)
        assert np.bincount(one.labels).tolist() == np.bincount(other.labels).tolist()
    faces = [
        sorted((image.tobytes(), label) for image, label in zip(split.images, split.labels.tolist(), strict=True))
        for split in (of_folder.test, of_csv.test)
    ]
    assert faces[0] == faces[1]


def test_images_are_called_by_their_path_and_corrected_by_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "exclude.csv").write_text("name\ntrain/angry/Training_0.png\n")
    (tmp_path / "relabel.csv").write_text("name,label\ntrain/sad/Training_400.png,angry\n")
    splits = build(root, exclude=str(tmp_path / "exclude.csv"), relabel=str(tmp_path / "relabel.csv"))
    assert np.bincount(splits.train.labels).tolist() == [10, 10, 10, 10, 9, 10, 10]
    assert splits.train.names is not None
    assert "train/angry/Training_0.png" not in splits.train.names


def test_a_merged_test_folder_is_noticed_and_the_way_out_is_named(root: Path) -> None:
    rename(root, "PublicTest", "PrivateTest")
    with pytest.raises(DataError) as caught:
        build(root)
    assert str(caught.value) == (
        f"`dataset.val`=PublicTest: {root} holds no such images. It holds: test (21 images), Training (70 images). The "
        "file names in its folder test do not tell PublicTest from PrivateTest (as PublicTest_1.jpg does): the two are "
        "merged there. Report on all of it, and take a part of the training images for validation: dataset.val=0.1 "
        "dataset.test=test"
    )


def test_a_merged_test_folder_may_be_reported_on_and_it_is_said_that_it_is_one(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rename(root, *USAGES)
    with caplog.at_level(logging.WARNING):
        splits = build(root, val=0.1, test="test")
    assert sizes(splits) == [63, 7, 21]
    assert splits.notes == {"merged_test_images": 21}
    assert "the file names do not tell PublicTest from PrivateTest. The test split is the folder `test`" in caplog.text
    assert "21 images. Its numbers do not compare with published ones" in caplog.text


def test_a_validation_folder_that_is_the_merged_one_is_offered_as_test_split(root: Path) -> None:
    rename(root, *USAGES)
    (root / "test").rename(root / "validation")
    with pytest.raises(DataError, match=r"dataset\.val=0\.1 dataset\.test=val$"):
        build(root)
    assert sizes(build(root, val=0.1, test="validation")) == [63, 7, 21]


def test_three_folders_are_taken_as_they_are(root: Path) -> None:
    rename(root, *USAGES)
    for name in EMOTIONS:
        (root / "val" / name).mkdir(parents=True)
        for path in (root / "test" / name).glob("Pu_*"):
            path.rename(root / "val" / name / path.name)
    with pytest.raises(DataError, match=r"Take the folders as they are: dataset\.val=val dataset\.test=test$"):
        build(root)
    assert sizes(build(root, val="val", test="test")) == [70, 7, 14]


def test_class_folders_alone_are_divided_by_fractions(root: Path) -> None:
    rename(root, *USAGES)
    with pytest.raises(
        DataError, match=r"tells none: .*a folder by file names such as PublicTest_1\.jpg.*dataset\.val"
    ):
        build(root / "train")
    assert sizes(build(root / "train", val=0.1, test=0.3)) == [42, 7, 21]


def test_the_test_folder_of_a_copy_whose_names_tell_is_an_error_that_names_the_official_split(root: Path) -> None:
    with pytest.raises(DataError, match=r"`dataset\.test`=test: .*dataset\.val=PublicTest dataset\.test=PrivateTest"):
        build(root, test="test")


def test_names_count_where_they_contradict_the_folder(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = next((root / "test" / "sad").glob("PublicTest_*"))
    path.rename(root / "train" / "sad" / path.name)
    with caplog.at_level(logging.WARNING):
        splits = build(root)
    assert sizes(splits) == [70, 7, 14]
    assert splits.notes == {"misplaced_images": 1}
    assert "1 images lie in another folder than their names say" in caplog.text


def test_an_image_that_cannot_be_decoded_is_named_with_the_option_of_this_data_set(root: Path) -> None:
    bad = root / "train" / "sad" / "Training_400.png"
    bad.write_text("no image")
    with pytest.raises(DataError, match=r"Training_400\.png cannot be decoded: .*dataset\.on_bad_row=skip$"):
        build(root)
    splits = build(root, on_bad_row="skip")
    assert splits.train.labels.tolist() == splits.train.images[:, 0, 0, 0].tolist()
    assert sizes(splits) == [69, 7, 14]
    notes = dict(splits.notes)
    assert Path(notes.pop("rejected_images")).is_file()
    assert notes == {"skipped_images": 1, "first_skipped_images": [str(bad)]}


def test_other_classes_are_an_error_that_names_them(root: Path) -> None:
    (root / "train" / "sad").rename(root / "train" / "contempt")
    with pytest.raises(DataError, match=r"The class folders of FER2013 must be angry, .*with contempt\..*image_folder"):
        build(root)


def test_a_folder_that_cannot_be_read_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"fer2013 cannot be read: Permission denied\. Check its permissions"):
        build(root)


def test_a_class_that_is_missing_is_noted(root: Path) -> None:
    for path in (root / "test" / "disgust").glob("PublicTest_*"):
        path.unlink()
    assert build(root).notes == {"missing_classes": {"val": ["disgust"]}}


def test_the_official_counts_add_up() -> None:
    assert {usage: sum(counts.values()) for usage, counts in OFFICIAL_COUNTS.items()} == {
        "Training": 28_709,
        "PublicTest": 3_589,
        "PrivateTest": 3_589,
    }
    assert all(tuple(counts) == EMOTIONS for counts in OFFICIAL_COUNTS.values())
    # The totals of the classes as the paper gives them.
    totals = [sum(counts[name] for counts in OFFICIAL_COUNTS.values()) for name in EMOTIONS]
    assert totals == [4953, 547, 5121, 8989, 6077, 4002, 6198]
