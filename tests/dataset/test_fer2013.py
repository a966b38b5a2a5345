"""FER2013: the official protocol, copies that lack a part, and every message."""

import gzip
import io
import logging
import tarfile
import zipfile
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_exp.data import pixel_csv
from fer_exp.data.emotions import EMOTIONS
from fer_exp.data.inputs import image
from fer_exp.dataset import Splits, fer2013
from fer_exp.errors import DataError

# (label, Usage) of each row: every class ten times in Training, once in each of the others.
OFFICIAL = [(label, "Training") for label in range(7) for _ in range(10)] + [
    (label, usage) for usage in ("PublicTest", "PrivateTest") for label in range(7)
]
PARTIAL = [row for row in OFFICIAL if row[1] != "PrivateTest"]


def face(row: int) -> np.ndarray:
    """The pixels of a row: their sum is different for every row."""
    return np.array([row + 1, *range(200), *[0] * 2103], np.uint8)


def csv_text(rows: list[tuple[int, str]], header: str = "emotion,pixels,Usage", order: str = "epu") -> str:
    lines = [header]
    for number, (label, usage) in enumerate(rows):
        field = {"e": str(label), "p": " ".join(map(str, face(number))), "u": usage}
        lines.append(",".join(field[letter] for letter in order))
    return "\n".join(lines) + "\n"


def write(tmp_path: Path, rows: list[tuple[int, str]] = OFFICIAL, **layout: str) -> Path:
    path = tmp_path / "fer2013.csv"
    path.write_text(csv_text(rows, **layout))
    return path


def build(path: Path | str, **options: Any) -> Splits:
    defaults = {
        "val": "PublicTest",
        "test": "PrivateTest",
        "classes": 7,
        "on_bad_row": "error",
        "split_seed": 0,
        "exclude": None,
        "relabel": None,
    }
    return fer2013.build(**{"path": str(path), "cache_dir": str(Path(path).parent / "cache")} | defaults | options)


def rows_of(splits: Splits) -> dict[str, list[int]]:
    """Which row of the file each image came from."""
    return {
        name: (getattr(splits, name).images[:, 0, 0, 0].astype(int) - 1).tolist() for name in ("train", "val", "test")
    }


def test_the_official_protocol_follows_the_usage_column(tmp_path: Path) -> None:
    splits = build(write(tmp_path))
    assert rows_of(splits) == {"train": [*range(70)], "val": [*range(70, 77)], "test": [*range(77, 84)]}
    assert splits.val.labels.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert splits.val.labels.dtype == np.int64
    assert splits.train.images.dtype == np.uint8
    assert splits.specs == image((48, 48, 1))
    np.testing.assert_array_equal(splits.train.images[3].ravel(), face(3))
    assert splits.class_names == EMOTIONS
    assert splits.source == str(tmp_path / "fer2013.csv")
    assert splits.notes == {}


def packed(kind: str, text: bytes) -> bytes:
    buffer = io.BytesIO()
    if kind == "gz":
        return gzip.compress(text)
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("fer2013.csv", text)
    if kind == "tar.gz":
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            info = tarfile.TarInfo("fer2013/fer2013.csv")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["gz", "zip", "tar.gz"])
def test_packing_and_column_order_change_nothing_about_the_content(kind: str, tmp_path: Path) -> None:
    expected = build(write(tmp_path))
    path = tmp_path / "download"
    path.write_bytes(packed(kind, csv_text(OFFICIAL, "emotion, Usage, pixels", "eup").encode()))
    splits = build(path)
    assert rows_of(splits) == rows_of(expected)
    assert splits.sha256 == expected.sha256


def test_a_partial_copy_takes_a_stratified_tenth_of_training_as_validation(tmp_path: Path) -> None:
    splits = build(write(tmp_path, PARTIAL), val=0.1, test="PublicTest")
    rows = rows_of(splits)
    assert splits.val.labels.tolist() == [0, 1, 2, 3, 4, 5, 6]  # one of the ten of each class
    assert rows["test"] == [*range(70, 77)]
    assert sorted(rows["train"] + rows["val"]) == [*range(70)]
    assert splits.notes == {}


def test_rows_of_a_usage_that_is_not_asked_for_stay_unused_and_are_counted_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        splits = build(write(tmp_path), val=0.1, test="PrivateTest")
    assert "In none of train, val and test are: PublicTest (7 images). They are used with dataset.val=PublicTest." in (
        caplog.text
    )
    assert splits.notes == {"unused_rows": {"PublicTest": 7}}
    assert not set(rows_of(splits)["train"]) & set(range(70, 84))


def test_fractions_that_pass_over_the_official_parts_say_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        splits = build(write(tmp_path), val=0.1, test=0.1)
    assert splits.notes == {"unused_rows": {"PublicTest": 7, "PrivateTest": 7}}
    assert "They are used with dataset.val=PublicTest dataset.test=PrivateTest." in caplog.text


def test_contempt_is_code_7_where_a_file_has_eight_classes(tmp_path: Path) -> None:
    rows = [(label, usage) for usage in ("Training", "PublicTest", "PrivateTest") for label in range(8)]
    path = write(tmp_path, rows)
    with pytest.raises(DataError, match=r"from 0 to 6, found '7' \(contempt in ckextended\.csv.*dataset\.classes=8"):
        build(path)
    splits = build(path, classes=8)
    assert splits.class_names == (*EMOTIONS, "contempt")
    assert splits.test.labels.tolist() == [*range(8)]
    assert build(path, classes=8).sha256 == splits.sha256
    with pytest.raises(DataError, match=r"from 0 to 6, found '7'"):
        build(path)  # what was kept for eight classes is not taken for seven
    write(tmp_path, [(8, "Training"), *rows])
    with pytest.raises(DataError, match=r"from 0 to 7, found '8'\."):
        build(path, classes=8)


def test_a_file_without_usage_is_divided_by_two_fractions_of_all_its_rows(tmp_path: Path) -> None:
    path = write(tmp_path, OFFICIAL[:70], header="emotion,pixels", order="ep")
    splits = build(path, val=0.1, test=0.3)
    assert np.bincount(splits.val.labels).tolist() == [1] * 7
    assert np.bincount(splits.test.labels).tolist() == [3] * 7
    assert np.bincount(splits.train.labels).tolist() == [6] * 7
    assert sorted(chain(*rows_of(splits).values())) == [*range(70)]


def test_the_seed_decides_the_fractions_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path)
    first, again, other = (build(path, val=0.1, split_seed=seed) for seed in (0, 0, 1))
    assert rows_of(first) == rows_of(again)
    assert rows_of(first)["val"] != rows_of(other)["val"]
    assert rows_of(first)["test"] == rows_of(other)["test"]


def test_the_digest_is_of_images_labels_and_membership(tmp_path: Path) -> None:
    path = write(tmp_path)
    digests = {build(path, **options).sha256 for options in ({}, {"val": "PrivateTest", "test": "PublicTest"})}
    write(tmp_path, [(6 - label, usage) for label, usage in OFFICIAL])
    digests.add(build(path).sha256)
    path.write_text(csv_text(OFFICIAL).replace(",1 0 1 2 3", ",1 9 1 2 3"))
    digests.add(build(path).sha256)
    assert len(digests) == 4


def test_a_class_that_a_split_lacks_is_noted(tmp_path: Path) -> None:
    splits = build(write(tmp_path, [row for row in OFFICIAL if row not in ((1, "PublicTest"), (6, "PublicTest"))]))
    assert splits.notes == {"missing_classes": {"val": ["disgust", "neutral"]}}


def test_the_second_start_does_not_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    first = build(path)

    def unreachable(*_: object, **__: object) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr(pixel_csv, "parse", unreachable)
    assert build(path).sha256 == first.sha256
    assert build(path, val=0.1).sha256 != first.sha256  # another division of the same cached rows
    with pytest.raises(AssertionError, match="parsed again"):
        build(path, on_bad_row="skip")
    write(tmp_path, PARTIAL)
    with pytest.raises(AssertionError, match="parsed again"):
        build(path, test=0.1)


def test_a_damaged_cache_entry_is_rebuilt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path)
    expected = build(path).sha256
    (entry,) = (tmp_path / "cache").iterdir()
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 1
    entry.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert build(path).sha256 == expected
    assert "will be rebuilt" in caplog.text


def test_a_cache_folder_that_cannot_be_written_is_noted(tmp_path: Path) -> None:
    path = write(tmp_path)
    splits = build(path, cache_dir=str(path / "cache"))
    assert "not cached" in splits.notes["cache"]
    assert len(splits.train) == 70


def test_a_tilde_in_the_path_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path)
    assert build("~/fer2013.csv", cache_dir="~/cache").source == str(tmp_path / "fer2013.csv")


def test_skipped_rows_are_in_the_notes(tmp_path: Path) -> None:
    path = write(tmp_path, [*OFFICIAL[:3], (8, "Training"), *OFFICIAL[3:]])
    splits = build(path, on_bad_row="skip")
    assert "\nline 5," in Path(splits.notes["rejected_rows"]).read_text()
    assert {key: value for key, value in splits.notes.items() if key != "rejected_rows"} == {
        "skipped_rows": 1,
        "first_skipped_lines": [5],
    }
    assert len(splits.train) == 70


def test_a_malformed_row_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, [*OFFICIAL[:3], (8, "Training"), *OFFICIAL[3:]])
    with pytest.raises(DataError, match="line 5: emotion must be a whole number from 0 to 6, found '8'"):
        build(path)


def test_a_missing_file_is_an_error_that_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"`dataset\.path` must be an existing file or folder.*fer2013\.tar\.gz"
    ) as caught:
        build(tmp_path / "absent.csv")
    assert "challenges-in-representation-learning-facial-expression-recognition-challenge" in str(caught.value)
    assert "dataset=synthetic works without a download" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_of_files_is_an_error_that_says_what_is_read(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match=r"must be a csv of FER2013, or the folder .*Received a folder without folders"):
        build(tmp_path)


def test_a_usage_that_the_file_lacks_is_an_error_that_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`dataset\.test`=PrivateTest.*no such images") as caught:
        build(write(tmp_path, PARTIAL))
    assert "It holds: Training (70 images), PublicTest (7 images)." in str(caught.value)
    assert "dataset.val=0.1 dataset.test=PublicTest" in str(caught.value)


def test_a_usage_that_does_not_exist_is_an_error_that_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`dataset\.val`=publictest.*It holds: Training \(70 images\), PublicTest"):
        build(write(tmp_path), val="publictest")


@pytest.mark.parametrize("options", [{"val": 0.1}, {"test": 0.1}, {}])
def test_a_usage_of_a_file_without_that_column_is_an_error(options: dict[str, float], tmp_path: Path) -> None:
    path = write(tmp_path, OFFICIAL, header="emotion,pixels", order="ep")
    with pytest.raises(
        DataError, match=r"tells none: a csv does by its column Usage.*dataset\.val=0\.1 dataset\.test=0\.1"
    ):
        build(path, **options)


def test_the_same_usage_for_both_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must be different images\. Received: PublicTest for both"):
        build(write(tmp_path), test="PublicTest")


@pytest.mark.parametrize("name", ["val", "test"])
def test_training_rows_as_a_split_are_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"`dataset\.{name}` must not be the images that are trained on"):
        build(write(tmp_path), **{name: "Training"})


def test_a_file_without_training_rows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no images of Usage Training\. It holds: PublicTest \(7 images\)"):
        build(write(tmp_path, OFFICIAL[70:]))


def test_fractions_that_leave_nothing_to_train_on_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must leave training rows\. Received: 0\.5 and 0\.5"):
        build(write(tmp_path), val=0.5, test=0.5)


def test_a_class_with_one_row_cannot_be_divided(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`dataset\.val` must draw .*, and \w+ has a single training image in"):
        build(write(tmp_path, [*PARTIAL[9:]]), val=0.1, test="PublicTest")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "is empty"),
        (b"a,b\n", "has no column emotion"),
        (gzip.compress(csv_text(OFFICIAL).encode())[:-100], "is truncated or damaged"),
    ],
)
def test_what_is_wrong_with_the_file_reaches_the_user(content: bytes, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rule):
        build(path)


def corrections(tmp_path: Path, option: str, text: str) -> dict[str, str]:
    (tmp_path / f"{option}.csv").write_text(text)
    return {option: str(tmp_path / f"{option}.csv")}


def test_leaving_out_all_that_is_trained_on_is_an_error(tmp_path: Path) -> None:
    names = "name\n" + "".join(f"row {row}\n" for row in range(70))
    with pytest.raises(DataError, match=r"`dataset\.exclude` must leave images .* names all 70 of train"):
        build(write(tmp_path), **corrections(tmp_path, "exclude", names))


def test_corrections_of_a_copy_with_more_rows_are_refused(tmp_path: Path) -> None:
    suspects = "name,given,label\n" + "".join(f"row {row},{EMOTIONS[row // 10]},happy\n" for row in range(5, 70, 10))
    whole = build(write(tmp_path), **corrections(tmp_path, "relabel", suspects))
    assert whole.notes["corrections"]["relabelled_in_train"] == 6  # one of the seven is happy already
    part = write(tmp_path, OFFICIAL[7:])  # the same names, other faces
    with pytest.raises(DataError, match=r"must be made of these data.*row 5 as angry, which is disgust here"):
        build(part, **corrections(tmp_path, "relabel", suspects))


def test_rows_that_no_split_has_may_be_named_by_corrections(tmp_path: Path) -> None:
    path = write(tmp_path, [*OFFICIAL[:3], (8, "Training"), *OFFICIAL[3:]])
    named = corrections(tmp_path, "exclude", "name\nrow 3\nrow 71\nrow 0\n")  # malformed, PublicTest, Training
    splits = build(path, on_bad_row="skip", val=0.1, **named)
    assert splits.notes["corrections"]["left_out_anyway"] == 2
    assert sum(splits.notes["corrections"][f"excluded_from_{split}"] for split in ("train", "val")) == 1
    with pytest.raises(DataError, match="Unknown: row 85"):
        build(path, on_bad_row="skip", **corrections(tmp_path, "exclude", "name\nrow 85\n"))
