"""RAF-DB: codes by name, the official split, and every message."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts import node
from PIL import Image

from fer_exp.data.emotions import EMOTIONS
from fer_exp.dataset import Splits
from fer_exp.errors import DataError
from fer_exp.options import config

IN_THEIR_ORDER = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")  # codes 1 to 7


def made(root: Path, train: int = 10, test: int = 2) -> Path:
    """Writes the release with so many images of each class; their grey value is 20 x the code, plus 5 for test."""
    (root / "EmoLabel").mkdir(parents=True)
    (root / "Image" / "aligned").mkdir(parents=True)
    lines = []
    for part, count in (("train", train), ("test", test)):
        for number in range(count * 7):
            name, code = f"{part}_{number + 1:05}", number % 7 + 1
            lines.append(f"{name}.jpg {code}")
            grey = 20 * code + 5 * (part == "test")
            Image.new("L", (10, 10), grey).save(root / "Image" / "aligned" / f"{name}_aligned.jpg")
    (root / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return root


def build(root: Path, **options: Any) -> Splits:
    small = {"path": str(root), "image_size": 8, "cache_dir": str(root.parent / "cache")}
    splits: Splits = config.build(node("dataset", "rafdb", **(small | options)))
    return splits


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return made(tmp_path / "basic")


def edit(root: Path, old: str, new: str) -> None:
    file = root / "EmoLabel" / "list_patition_label.txt"
    file.write_text(file.read_text().replace(old, new))


def test_codes_become_the_labels_of_their_names(root: Path) -> None:
    splits = build(root)
    assert splits.class_names == EMOTIONS
    for split, plus in ((splits.train, 0), (splits.val, 0), (splits.test, 5)):
        codes = np.round((np.asarray(split.images)[:, 0, 0, 0].astype(int) - plus) / 20).astype(int)
        assert [IN_THEIR_ORDER[code - 1] for code in codes] == [EMOTIONS[label] for label in split.labels]


def test_the_official_test_images_are_the_test_and_val_is_a_stratified_part_of_train(root: Path) -> None:
    splits = build(root, val=0.2)
    counts = [np.bincount(split.labels).tolist() for split in (splits.train, splits.val, splits.test)]
    assert counts == [[8] * 7, [2] * 7, [2] * 7]
    assert splits.test.names is not None
    assert splits.test.names[0] == "Image/aligned/test_00001_aligned.jpg"
    assert splits.notes == {"layout": "released"}


def test_the_folder_above_is_as_good_and_gives_the_same_content(root: Path) -> None:
    assert build(root.parent).sha256 == build(root).sha256


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("train_00002.jpg 8", "line 2 is malformed.*Received: 'train_00002.jpg 8'"),
        ("train_00002.jpg", "line 2 is malformed"),
        ("../../train_00002.jpg 3", "line 2 is malformed"),
        ("train_00001.jpg 3", "line 2 names an image again"),
    ],
)
def test_a_malformed_line_is_an_error_with_its_number_or_left_out(line: str, fault: str, root: Path) -> None:
    edit(root, "train_00002.jpg 2", line)
    with pytest.raises(DataError, match=rf"list_patition_label\.txt, {fault}.*on_bad_image=skip"):
        build(root)
    splits = build(root, on_bad_image="skip")
    assert "list_patition_label.txt, line 2" in Path(splits.notes["rejected_rows"]).read_text()
    assert splits.notes.items() >= {"layout": "released", "malformed_lines": 1}.items()
    assert len(splits.train) + len(splits.val) == 69


def test_a_missing_image_is_an_error_that_names_it_or_left_out(root: Path) -> None:
    (root / "Image" / "aligned" / "train_00003_aligned.jpg").unlink()
    with pytest.raises(DataError, match=r"train_00003_aligned\.jpg is not there \(1 of 84 images are missing\)"):
        build(root)
    splits = build(root, on_bad_image="skip")
    listed = Path(splits.notes["rejected_rows"]).read_text()
    assert listed == "name,reason\nImage/aligned/train_00003_aligned.jpg,is not there\n"
    assert splits.notes.items() >= {"layout": "released", "missing_images": 1}.items()
    assert len(splits.train) + len(splits.val) == 69


def test_a_list_of_which_no_image_is_there_is_an_error_also_if_missing_images_are_not(root: Path) -> None:
    (root / "Image" / "aligned").rename(root / "Image" / "faces")
    with pytest.raises(DataError, match="basic holds no usable images"):
        build(root, on_bad_image="skip")


def copied(root: Path, release: Path) -> Path:
    """Writes the copy: the same images in folders named by their numbers."""
    for line in (release / "EmoLabel" / "list_patition_label.txt").read_text().splitlines():
        name, code = line.removesuffix("\n").replace(".jpg", "").split()
        folder = root / name.partition("_")[0] / code
        folder.mkdir(parents=True, exist_ok=True)
        (release / "Image" / "aligned" / f"{name}_aligned.jpg").rename(folder / f"{name}_aligned.jpg")
    return root


def test_a_copy_in_folders_named_by_numbers_has_the_same_labels_and_splits(root: Path) -> None:
    release = build(root, val=0.2)
    splits = build(copied(root.parent / "DATASET", root), val=0.2)
    assert splits.notes == {"layout": "folders"}
    assert splits.class_names == EMOTIONS
    assert [np.bincount(s.labels).tolist() for s in (splits.train, splits.val, splits.test)] == [
        [8] * 7,
        [2] * 7,
        [2] * 7,
    ]
    for split, expected in ((splits.train, release.train), (splits.test, release.test)):
        grey_of = [dict(zip(s.labels.tolist(), s.images[:, 0, 0, 0].tolist(), strict=True)) for s in (split, expected)]
        assert grey_of[0] == grey_of[1]


def test_a_folder_of_a_copy_that_is_no_number_is_an_error(root: Path) -> None:
    copy = copied(root.parent / "DATASET", root)
    (copy / "train" / "5").rename(copy / "train" / "sad")
    with pytest.raises(DataError, match=r"train/sad: the folders .* must be named 1 to 7\. .*dataset=image_folder"):
        build(copy)


def test_folders_of_other_numbers_are_refused_with_whose_they_may_be(root: Path) -> None:
    copy = copied(root.parent / "DATASET", root)
    for part in ("train", "test"):
        (copy / part / "7").rename(copy / part / "0")
    with pytest.raises(DataError, match=r"dataset=image_folder dataset\.codes=<affectnet or .*>"):
        build(copy)


def test_what_is_no_picture_in_a_copy_is_said(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    copy = copied(root.parent / "DATASET", root)
    (copy / "train" / "5" / "more.heic").touch()
    (copy / "test" / "1" / "notes.txt").touch()
    with caplog.at_level("WARNING"):
        notes = build(copy).notes
    assert notes["ignored_kinds"] == "1 .heic (install pillow-heif to read them), 1 .txt (no pictures)"
    assert f"left out are {notes['ignored_kinds']}." in caplog.text


@pytest.mark.parametrize("what", ["EmoLabel", "EmoLabel/list_patition_label.txt"])
def test_another_layout_is_an_error_that_says_what_is_there(what: str, root: Path) -> None:
    (root / what).rename(root / "elsewhere")
    with pytest.raises(DataError, match=r"must be the folder `basic` of RAF-DB, .*which holds .*elsewhere"):
        build(root)


def test_a_list_without_lines_is_an_error(root: Path) -> None:
    (root / "EmoLabel" / "list_patition_label.txt").write_text("\n")
    with pytest.raises(DataError, match="holds no lines such as"):
        build(root)


def test_a_list_of_absurd_size_is_not_read(root: Path) -> None:
    with (root / "EmoLabel" / "list_patition_label.txt").open("r+b") as file:
        file.truncate(2**25)
    with pytest.raises(DataError, match="must be the list of RAF-DB, of at most 16,777,216 bytes"):
        build(root)


def test_images_that_are_missing_may_be_named_by_corrections(root: Path) -> None:
    name = "Image/aligned/train_00003_aligned.jpg"
    (root / name).unlink()
    exclude = root.parent / "exclude.csv"
    exclude.write_text(f"name\n{name}\n")
    splits = build(root, on_bad_image="skip", exclude=str(exclude))
    assert splits.notes["corrections"]["left_out_anyway"] == 1
