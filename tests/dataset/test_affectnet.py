"""AffectNet: both forms, classes, boxes, the official validation set, and every message."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts import node
from PIL import Image

from fer_exp.data.emotions import EIGHT
from fer_exp.dataset import Split, Splits
from fer_exp.errors import DataError
from fer_exp.options import config

HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
NAMES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")  # codes 0 to 7
CODES = 11
TRAIN, VAL = 10, 2  # images of each code


def grey_of(code: int, part: str) -> int:
    return 20 * code + 10 * (part == "val")


def tables(root: Path) -> Path:
    """Writes the tables and the images: black, but for a face of 8x6 pixels at (4, 2)."""
    for part, count in (("train", TRAIN), ("val", VAL)):
        lines = []
        for number in range(count * CODES):
            code = number % CODES
            path = f"{number % 3}/{part}{number:04}.jpg"
            pixels = np.zeros((16, 20), np.uint8)
            pixels[2:8, 4:12] = grey_of(code, part)
            file = root / "Manually_Annotated" / "Manually_Annotated_Images" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file, "PNG")  # so that the greys stay as they are
            lines.append(f"{path},4,2,8,6,{';'.join(['1.25'] * 136)},{code},-0.5,0.25")
        folder = root / "Manually_Annotated_file_lists"
        folder.mkdir(parents=True, exist_ok=True)
        lines = [HEADER, *lines] if part == "train" else lines  # the official validation.csv has none
        (folder / ("training.csv" if part == "train" else "validation.csv")).write_text("\n".join(lines) + "\n")
    return root


def arrays(root: Path) -> Path:
    """Writes the release of 2021: faces, a file for each kind of annotation; numbers and texts mixed."""
    for part, count in (("train", TRAIN), ("val", VAL)):
        images, annotations = root / f"{part}_set" / "images", root / f"{part}_set" / "annotations"
        images.mkdir(parents=True)
        annotations.mkdir()
        for number in range(count * 8):
            code = number % 8
            Image.new("L", (8, 8), grey_of(code, part)).save(images / f"{number}.jpg", "PNG")
            np.save(annotations / f"{number}_exp.npy", np.array(str(code)) if number % 2 else np.array(code))
            np.save(annotations / f"{number}_aro.npy", np.array(0.5))
    return root


@pytest.fixture
def csv_root(tmp_path: Path) -> Path:
    return tables(tmp_path / "AffectNet")


@pytest.fixture
def npy_root(tmp_path: Path) -> Path:
    return arrays(tmp_path / "AffectNet")


def build(root: Path, **options: Any) -> Splits:
    small = {"path": str(root), "image_size": 4, "channels": 1, "val": 0.2, "cache_dir": str(root.parent / "cache")}
    splits: Splits = config.build(node("dataset", "affectnet", **(small | options)))
    return splits


def counts(splits: Splits) -> list[list[int]]:
    return [np.bincount(split.labels).tolist() for split in (splits.train, splits.val, splits.test)]


def named(split: Split) -> np.ndarray:
    assert split.names is not None
    return split.names


def edit(root: Path, name: str, old: str, new: str) -> None:
    file = root / "Manually_Annotated_file_lists" / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))


@pytest.mark.parametrize("form", ["csv_root", "npy_root"])
def test_codes_become_labels_by_name_and_the_official_validation_set_is_the_test(
    form: str, request: pytest.FixtureRequest
) -> None:
    splits = build(request.getfixturevalue(form))
    assert splits.class_names == EIGHT
    assert counts(splits) == [[8] * 8, [2] * 8, [2] * 8]
    for split, part in ((splits.train, "train"), (splits.val, "train"), (splits.test, "val")):
        for image, label in zip(split.images[:], split.labels, strict=True):
            assert image.tolist() == np.full((4, 4, 1), grey_of(NAMES.index(EIGHT[label]), part)).tolist()


def test_both_forms_are_found_out_and_what_is_no_expression_is_counted(tmp_path: Path) -> None:
    table, faces = build(tables(tmp_path / "csv")), build(arrays(tmp_path / "npy"))
    assert table.notes == {"layout": "csv", "dropped": {"none": 12, "uncertain": 12, "no_face": 12}}
    assert faces.notes == {"layout": "npy", "dropped": {}}
    assert named(table.test)[0] == "Manually_Annotated/Manually_Annotated_Images/0/val0000.jpg"
    assert named(faces.test)[0] == "val_set/images/0.jpg"


@pytest.mark.parametrize("form", ["csv_root", "npy_root"])
def test_seven_classes_leave_contempt_out_and_count_it(form: str, request: pytest.FixtureRequest) -> None:
    splits = build(request.getfixturevalue(form), classes=7)
    assert splits.class_names == EIGHT[:7]
    assert counts(splits) == [[8] * 7, [2] * 7, [2] * 7]
    assert splits.notes["dropped"]["contempt"] == 12


def test_the_official_validation_set_can_select_or_be_left(csv_root: Path) -> None:
    assert counts(build(csv_root, val="val", test=0.3)) == [[7] * 8, [2] * 8, [3] * 8]
    left = build(csv_root, val=0.2, test=0.3)
    assert counts(left) == [[5] * 8, [2] * 8, [3] * 8]
    assert left.notes["unused_images"] == 16
    with pytest.raises(DataError, match=r"must be different images\. Received: val for both.*dataset\.val=0\.05"):
        build(csv_root, val="val", test="val")


def test_what_is_left_out_is_said(csv_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"):
        build(csv_root, val=0.2, test=0.3)
    assert "left out are 12 images of none (no expression), 12 images of uncertain (no expression)" in caplog.text
    assert "in none of train, val and test are: val (16 images)." in caplog.text
    npy = arrays(tmp_path / "npy")
    Image.new("L", (8, 8)).save(npy / "train_set" / "images" / "more.png")
    caplog.clear()
    with caplog.at_level("WARNING"):
        build(npy, classes=7)
    assert "left out are 12 images of contempt (dataset.classes=7), 1 images without annotation." in caplog.text


def test_images_of_the_release_may_be_of_another_format(npy_root: Path) -> None:
    expected = build(npy_root).sha256
    for path in (npy_root / "train_set" / "images").iterdir():
        path.rename(path.with_suffix(".png"))
    assert build(npy_root).sha256 == expected


def test_class_folders_named_by_its_numbers_are_refused_with_how_to_read_them(tmp_path: Path) -> None:
    (tmp_path / "A" / "train" / "0").mkdir(parents=True)
    with pytest.raises(DataError, match=r"dataset=image_folder dataset\.codes=affectnet"):
        build(tmp_path / "A")


def test_the_tables_may_lie_beside_the_images(csv_root: Path) -> None:
    expected = build(csv_root).sha256
    for file in [*(csv_root / "Manually_Annotated_file_lists").iterdir(), *(csv_root / "Manually_Annotated").iterdir()]:
        file.rename(csv_root / file.name)
    assert build(csv_root).sha256 == expected


@pytest.mark.parametrize("form", ["csv_root", "npy_root"])
def test_the_second_start_reads_no_annotation(
    form: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = request.getfixturevalue(form)
    first = build(root)

    def unreachable(*_: object) -> None:
        raise AssertionError("read again")

    for module, function in (("affectnet_csv", "_table"), ("affectnet_npy", "_codes")):
        monkeypatch.setattr(f"fer_exp.data.image_folders.{module}.{function}", unreachable)
    assert build(root).sha256 == first.sha256


ROW = f"0/train0000.jpg,4,2,8,6,{';'.join(['1.25'] * 136)},0,"
NO_LANDMARKS = "0/train0000.jpg,4,2,8,6,,"


@pytest.mark.parametrize(
    "row",
    [
        NO_LANDMARKS + "11,",
        NO_LANDMARKS + "1.5,",
        NO_LANDMARKS + ",",
        NO_LANDMARKS + "happy,",
        "0/train0000.jpg,4,2,0,6,,0,",
        "0/train0000.jpg,NULL,2,8,6,,0,",
        "0/train0000.jpg,4,2,8,inf,,0,",
        ",4,2,8,6,,0,",
        "0/train0000.jpg",
        "x" * 256 + ",4,2,8,6,,0,",
    ],
)
def test_a_malformed_row_is_an_error_with_its_line_or_left_out(row: str, csv_root: Path) -> None:
    edit(csv_root, "training.csv", ROW, row)
    with pytest.raises(DataError, match=r"training\.csv, line 2 is malformed.*on_bad_image=skip"):
        build(csv_root)
    splits = build(csv_root, on_bad_image="skip")
    assert splits.notes["malformed_rows"] == 1
    assert '"training.csv, line 2",malformed row' in Path(splits.notes["rejected_rows"]).read_text()
    assert len(splits.train) + len(splits.val) == 79


def test_the_line_of_a_table_without_column_names_is_counted_from_one(csv_root: Path) -> None:
    edit(csv_root, "validation.csv", "\n1/val0001.jpg,4,", "\n\n1/val0001.jpg,x,")
    with pytest.raises(DataError, match=r"validation\.csv, line 2 is malformed"):
        build(csv_root)
    edit(csv_root, "validation.csv", "\n\n", "\n")
    with pytest.raises(DataError, match=r"validation\.csv, line 2 is malformed.*Received: 1/val0001\.jpg,x,2,8,6,1\."):
        build(csv_root)


def test_a_quote_does_not_swallow_the_lines_after_it(csv_root: Path) -> None:
    edit(csv_root, "training.csv", ROW, '"' + ROW)
    with pytest.raises(DataError, match=r'"0/train0000\.jpg is not there \(1 of 96 images are missing\)'):
        build(csv_root)


def test_rows_without_a_face_need_no_box(csv_root: Path) -> None:
    row = f"0/train0009.jpg,4,2,8,6,{';'.join(['1.25'] * 136)},9,"
    edit(csv_root, "training.csv", row, "0/train0009.jpg,NULL,NULL,NULL,NULL,NULL,9,")
    assert build(csv_root).notes["dropped"]["uncertain"] == 12


@pytest.mark.parametrize("path", ["../../secret.jpg", "/etc/passwd", "1/../../../x.jpg", "..\\\\x.jpg", "a/.."])
@pytest.mark.parametrize("on_bad_image", ["error", "skip"])
def test_a_path_out_of_the_folder_is_refused(path: str, on_bad_image: str, csv_root: Path) -> None:
    edit(csv_root, "training.csv", "\n0/train0000.jpg,", f"\n{path},")
    with pytest.raises(DataError, match=r"training\.csv, line 2: the path must stay below Manually_Annotated_Images"):
        build(csv_root, on_bad_image=on_bad_image)


def test_a_row_that_is_there_twice_counts_once_and_rather_as_validation(csv_root: Path) -> None:
    file = csv_root / "Manually_Annotated_file_lists" / "training.csv"
    lines = file.read_text().splitlines()
    copied = (csv_root / "Manually_Annotated_file_lists" / "validation.csv").read_text().splitlines()[0]
    file.write_text("\n".join([*lines, lines[1], copied]) + "\n")
    splits = build(csv_root)
    assert splits.notes["repeated_rows"] == 2
    assert counts(splits) == [[8] * 8, [2] * 8, [2] * 8]


@pytest.mark.parametrize(("box", "shown"), [("20,2,8,6", "8x6 at (20, 2)"), ("-9,2,8,6", "8x6 at (-9, 2)")])
def test_a_box_outside_the_image_is_an_error_or_left_out(box: str, shown: str, csv_root: Path) -> None:
    edit(csv_root, "training.csv", "0/train0000.jpg,4,2,8,6", f"0/train0000.jpg,{box}")
    with pytest.raises(DataError) as caught:
        build(csv_root)
    assert f"train0000.jpg cannot be decoded: the box {shown} lies outside its 20x16 pixels" in str(caught.value)
    assert build(csv_root, on_bad_image="skip").notes["skipped_images"] == 1


def test_of_a_box_that_sticks_out_the_part_inside_is_taken(csv_root: Path) -> None:
    edit(csv_root, "validation.csv", "1/val0001.jpg,4,2,8,6", "1/val0001.jpg,-4,-6,16,14")
    splits = build(csv_root)
    row = int(np.flatnonzero(np.char.endswith(named(splits.test).astype(str), "val0001.jpg"))[0])
    image = splits.test.images[row]
    assert image[0, 0, 0] == 0  # of 12x8 pixels, above and left of the face
    assert image[3, 3, 0] == grey_of(1, "val")


def test_another_box_is_another_image_also_for_the_cache(csv_root: Path) -> None:
    first = build(csv_root).sha256
    edit(csv_root, "training.csv", "2/train0011.jpg,4,2,8,6", "2/train0011.jpg,0,0,8,6")
    assert build(csv_root).sha256 == first  # code 0 is black, as is what lies around the face
    edit(csv_root, "training.csv", "0/train0012.jpg,4,2,8,6", "0/train0012.jpg,0,0,8,6")
    assert build(csv_root).sha256 != first


@pytest.mark.parametrize("form", ["csv_root", "npy_root"])
def test_a_missing_image_is_an_error_that_names_it_or_left_out(form: str, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue(form)
    image = "train_set/images/3.jpg"
    if form == "csv_root":
        image = "Manually_Annotated/Manually_Annotated_Images/0/train0003.jpg"
    (root / image).unlink()
    with pytest.raises(DataError, match=rf"{image} is not there \(1 of 96 images are missing\)"):
        build(root)
    notes = build(root, on_bad_image="skip").notes
    assert notes["missing_images"] == 1
    assert "is not there" in Path(notes["rejected_rows"]).read_text()


@pytest.mark.parametrize("name", ["training.csv", "validation.csv"])
def test_a_table_that_is_missing_or_empty_is_an_error(name: str, csv_root: Path) -> None:
    file = csv_root / "Manually_Annotated_file_lists" / name
    file.write_text("")
    with pytest.raises(DataError, match=rf"{name} (cannot be read as a table|holds no usable rows)"):
        build(csv_root)
    file.write_text(HEADER + "\n")
    with pytest.raises(DataError, match=rf"{name} (cannot be read as a table|holds no usable rows)"):
        build(csv_root)
    file.unlink()
    rule = r"validation\.csv is not there" if name == "validation.csv" else r"`dataset\.path` must be the folder"
    with pytest.raises(DataError, match=rule):
        build(csv_root)


def test_a_table_without_a_column_is_an_error(csv_root: Path) -> None:
    edit(csv_root, "training.csv", "face_width,", "")
    with pytest.raises(
        DataError, match=r"training\.csv must have the columns subDirectory_filePath, .*lacks face_width"
    ):
        build(csv_root)


class Harmful:
    """What would leave a file behind if it were unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def header(shape: str, descr: str = "<f8") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"3", "magic string"),
        (b"\x93NUMPY\x01\x00\x76\x00{'descr': (((", "array header"),
        (header("(100000000000,)"), r"array of shape \(100000000000,\) and type float64"),
        (header("()"), "buffer is smaller"),
        (header("()") + np.float64(8.5).tobytes(), "it holds 8.5"),
        (header("()") + np.float64(11).tobytes(), "it holds 11"),
        (header("()", "<U5") + "happy".encode("utf-32-le"), "could not convert"),
        (b"\x93NUMPY\x03\x00", "version 3.0"),
        (bytes(5000), "it has 5,000 bytes"),
    ],
)
def test_a_malformed_annotation_is_an_error_that_names_it_or_left_out(
    content: bytes, fault: str, npy_root: Path
) -> None:
    (npy_root / "train_set" / "annotations" / "3_exp.npy").write_bytes(content)
    with pytest.raises(DataError, match=rf"3_exp\.npy must hold one number from 0 to 10: .*{fault}.*on_bad_image=skip"):
        build(npy_root)
    splits = build(npy_root, on_bad_image="skip")
    assert splits.notes["malformed_annotations"] == 1
    assert "train_set/images/3.jpg,malformed annotation" in Path(splits.notes["rejected_rows"]).read_text()
    assert len(splits.train) + len(splits.val) == 79


def test_an_annotation_is_never_unpickled(npy_root: Path) -> None:
    mark = npy_root / "harmed"
    file = npy_root / "train_set" / "annotations" / "3_exp.npy"
    np.save(file, np.array(Harmful(mark), dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"3_exp\.npy must hold .*type object"):
        build(npy_root)
    assert not mark.exists()


def test_images_without_an_annotation_are_counted(npy_root: Path) -> None:
    (npy_root / "train_set" / "annotations" / "3_exp.npy").unlink()
    assert build(npy_root).notes == {"layout": "npy", "dropped": {}, "images_without_annotation": 1}


def test_a_set_without_annotations_is_an_error(npy_root: Path) -> None:
    for file in (npy_root / "val_set" / "annotations").glob("*_exp.npy"):
        file.unlink()
    with pytest.raises(DataError, match=r"val_set/annotations holds no files such as 0_exp\.npy"):
        build(npy_root)


def test_another_layout_is_an_error_that_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "AffectNet" / "train_set").mkdir(parents=True)
    with pytest.raises(DataError, match=r"`dataset\.path` must be the folder of AffectNet .*which holds train_set\."):
        build(tmp_path / "AffectNet")


@pytest.mark.parametrize("layout", ["csv_root", "npy_root"])
def test_contempt_that_is_left_out_may_be_named_by_corrections(
    layout: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    root = request.getfixturevalue(layout)
    whole = build(root)
    contempt = np.asarray(whole.train.names)[whole.train.labels == EIGHT.index("contempt")].tolist()
    exclude = tmp_path / "exclude.csv"
    exclude.write_text("\n".join(["name", *contempt]))
    splits = build(root, classes=7, exclude=str(exclude))
    assert splits.notes["corrections"]["left_out_anyway"] == len(contempt) > 0
    exclude.write_text("name\nnowhere.jpg\n")
    with pytest.raises(DataError, match=r"Unknown: nowhere\.jpg"):
        build(root, classes=7, exclude=str(exclude))
