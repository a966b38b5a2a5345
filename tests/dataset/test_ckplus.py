"""CK+: both layouts, last frames, neutral and contempt, persons kept apart, and every message."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CommandLine
from contracts import node
from PIL import Image

from fer_exp.data import folds
from fer_exp.dataset import Split, Splits
from fer_exp.errors import DataError
from fer_exp.options import config

CODES = {1: "angry", 2: "contempt", 3: "disgust", 4: "fear", 5: "happy", 6: "sad", 7: "surprise"}
FOLDERS = (
    "anger",
    "contempt",
    "disgust",
    "fear",
    "happy",
    "sadness",
    "surprise",
)  # of CK+48, in the order of the codes
PERSONS = tuple(f"S{number:03}" for number in range(5, 25))
FRAMES = 5


def save(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 6), grey).save(path)


def released(root: Path, persons: tuple[str, ...] = PERSONS) -> Path:
    """Writes persons with four sequences each, the last without a label; grey is 20 x code + number of the frame."""
    for order, person in enumerate(persons):
        for number in range(1, 5):
            code = (order + 2 * number) % 7 + 1
            for frame in range(1, FRAMES + 1):
                name = f"{person}_{number:03}_{frame:08}.png"
                save(root / "cohn-kanade-images" / person / f"{number:03}" / name, 20 * code + frame)
            labels = root / "Emotion" / person / f"{number:03}"
            labels.mkdir(parents=True)
            if number < 4:
                (labels / f"{person}_{number:03}_{FRAMES:08}_emotion.txt").write_text(f"   {code:.7e}\n")
    (root / "cohn-kanade-images" / persons[0] / ".DS_Store").write_text("x")
    return root


def copied(root: Path, persons: tuple[str, ...] = PERSONS) -> Path:
    """Writes CK+48 with the same sequences, of which it holds the last three frames."""
    for order, person in enumerate(persons):
        for number in range(1, 4):
            code = (order + 2 * number) % 7 + 1
            for frame in range(FRAMES - 2, FRAMES + 1):
                save(root / FOLDERS[code - 1] / f"{person}_{number:03}_{frame:08}.png", 20 * code + frame)
    return root


def build(root: Path, **options: Any) -> Splits:
    small = {"path": str(root), "image_size": 6, "val": 0.2, "test": 0.2, "cache_dir": str(root.parent / "cache")}
    splits: Splits = config.build(node("dataset", "ckplus", **(small | options)))
    return splits


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release; tests that change it write their own."""
    return released(tmp_path_factory.mktemp("tree") / "CK+")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("copy") / "CK+48")


def parts(splits: Splits) -> list[Split]:
    return [splits.train, splits.val, splits.test]


def greys(splits: Splits) -> dict[int, str]:
    """Returns which class each grey value has."""
    return {
        int(image[0, 0, 0]): splits.class_names[label]
        for split in parts(splits)
        for image, label in zip(split.images[:], split.labels, strict=True)
    }


@pytest.mark.parametrize("layout", ["tree", "copy"])
def test_the_last_three_frames_of_each_sequence_show_its_expression(
    layout: str, request: pytest.FixtureRequest
) -> None:
    splits = build(request.getfixturevalue(layout))
    assert splits.class_names == ("angry", "disgust", "fear", "happy", "sad", "surprise", "contempt")
    assert greys(splits) == {20 * code + frame: name for code, name in CODES.items() for frame in (3, 4, 5)}
    assert sum(map(len, parts(splits))) == 20 * 3 * 3


def test_both_layouts_hold_the_same_images_of_the_same_persons(tree: Path, copy: Path) -> None:
    def content(splits: Splits) -> list[tuple[str, int]]:
        return sorted(
            (str(person), int(image[0, 0, 0]))
            for split in parts(splits)
            for person, image in zip(np.asarray(split.groups), split.images[:], strict=True)
        )

    assert content(build(tree)) == content(build(copy))


@pytest.mark.parametrize("layout", ["tree", "copy"])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_person_is_in_two_splits(layout: str, seed: int, request: pytest.FixtureRequest) -> None:
    splits = build(request.getfixturevalue(layout), split_seed=seed)
    persons = [set(np.asarray(split.groups).tolist()) for split in parts(splits)]
    assert sum(map(len, persons)) == len(set.union(*persons)) == 20
    for split in parts(splits):
        called = [str(name).rsplit("/", 1)[1][:4] for name in np.asarray(split.names)]
        assert called == np.asarray(split.groups).tolist()
    assert all(abs(len(split) / 180 - 0.2) < 0.06 for split in (splits.val, splits.test))


def test_no_person_is_in_two_folds(tree: Path) -> None:
    splits = build(tree)
    for fold in range(3):
        divided = folds.divide(splits, 3, fold)
        assert not set(np.asarray(divided.train.groups)) & set(np.asarray(divided.val.groups))


def test_the_same_seed_divides_alike_and_another_seed_otherwise(tree: Path) -> None:
    assert build(tree).sha256 == build(tree).sha256 != build(tree, split_seed=1).sha256


def test_first_frames_are_neutral_if_asked_for(tree: Path) -> None:
    splits = build(tree, neutral=True, frames=1)
    assert splits.class_names == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt")
    last = {20 * code + FRAMES: name for code, name in CODES.items()}
    assert greys(splits) == last | {20 * code + 1: "neutral" for code in CODES}


def test_a_frame_is_never_both_neutral_and_an_expression(tree: Path) -> None:
    splits = build(tree, neutral=True, frames=9)
    assert sum(map(len, parts(splits))) == 20 * 3 * FRAMES
    assert splits.notes["short_sequences"] == 60


def test_contempt_can_be_dropped(tree: Path) -> None:
    splits = build(tree, contempt="drop")
    assert "contempt" not in splits.class_names
    assert splits.notes["dropped"]["contempt"] + sum(map(len, parts(splits))) == 180
    assert "contempt" not in greys(splits).values()


def test_faces_are_cut_out_of_the_pictures_if_asked_for(tree: Path) -> None:
    with pytest.raises(DataError, match="There are no usable images for train"):  # they are flat: there is no face
        build(tree, faces="haar")


def test_the_layout_and_what_has_no_label_are_recorded(tree: Path, copy: Path) -> None:
    assert build(tree).notes == {"layout": "released", "unlabelled_sequences": 20}
    assert build(copy).notes == {"layout": "CK+48"}


def test_the_folder_above_is_as_good(tree: Path, copy: Path) -> None:
    assert build(tree.parent).sha256 == build(tree).sha256
    assert build(copy.parent).sha256 == build(copy).sha256


def test_first_frames_of_the_copy_are_refused(copy: Path) -> None:
    with pytest.raises(DataError, match=r"`dataset\.neutral`=true .*holds the last three only.*dataset\.neutral=false"):
        build(copy, neutral=True)


@pytest.mark.parametrize("content", ["8.0000000e+00", "-1", "3.5", "nan", "happy", "", "3\n4"])
def test_a_label_that_is_none_is_an_error(content: str, tmp_path: Path) -> None:
    root = released(tmp_path / "CK+", PERSONS[:2])
    (root / "Emotion" / "S005" / "001" / "S005_001_00000005_emotion.txt").write_text(content)
    with pytest.raises(DataError, match=r"S005_001_00000005_emotion\.txt must hold a number from 0 to 7"):
        build(root)


def test_two_labels_of_a_sequence_and_none_at_all_are_errors(tmp_path: Path) -> None:
    root = released(tmp_path / "CK+", PERSONS[:2])
    (root / "Emotion" / "S005" / "001" / "S005_001_00000003_emotion.txt").write_text("1")
    with pytest.raises(
        DataError, match="001 must hold one label. It holds S005_001_00000003_emotion.txt and S005_001_"
    ):
        build(root)
    for label in root.rglob("*_emotion.txt"):
        label.unlink()
    with pytest.raises(DataError, match="Emotion holds no labels"):
        build(root)


def test_a_labelled_sequence_without_frames_is_an_error(tmp_path: Path) -> None:
    root = released(tmp_path / "CK+", PERSONS[:2])
    (root / "cohn-kanade-images" / "S006" / "002").rename(root / "elsewhere")
    with pytest.raises(DataError, match="S006/002 has a label, but 0 frames"):
        build(root)


def test_an_image_of_the_copy_that_does_not_say_whose_it_is_is_an_error(tmp_path: Path) -> None:
    root = copied(tmp_path / "CK+48", PERSONS[:2])
    save(root / "fear" / "face7.png", 1)
    with pytest.raises(DataError, match=r"fear/face7\.png must be called as in CK\+48, such as S010_004_00000017\.png"):
        build(root)


def test_two_folders_of_one_class_in_the_copy_are_an_error(tmp_path: Path) -> None:
    root = copied(tmp_path / "CK+48", PERSONS[:2])
    (root / "angry").mkdir()
    with pytest.raises(DataError, match="the folders anger and angry mean the same class"):
        build(root)


def test_folders_of_the_copy_without_images_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "CK+48" / "fear").mkdir(parents=True)
    with pytest.raises(DataError, match="the folders fear hold no images"):
        build(tmp_path / "CK+48")


def test_what_is_no_picture_and_what_has_no_label_is_said(
    tree: Path, copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tree / "cohn-kanade-images" / "S005" / "001" / "S005_001.heic").touch()
    (copy / "fear" / "list.txt").touch()
    with caplog.at_level("WARNING"):
        notes = [build(tree).notes, build(copy).notes]
    assert [note["ignored_files"] for note in notes] == [1, 1]
    assert "left out are 20 sequences without a label, 1 .heic (install pillow-heif to read them)." in caplog.text
    assert "left out are 1 .txt (no pictures)." in caplog.text


def test_a_csv_is_refused_with_the_command_that_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "ckextended.csv"
    path.write_text("emotion,pixels,Usage\n")
    with pytest.raises(DataError, match=rf"dataset=fer2013 dataset\.path={path} dataset\.classes=8"):
        build(path)


def test_another_layout_is_an_error_that_says_what_is_there_and_what_lacks(tmp_path: Path) -> None:
    root = released(tmp_path / "CK+", PERSONS[:2])
    (root / "Emotion").rename(root / "labels")
    with pytest.raises(DataError, match=r"which holds cohn-kanade-images, labels\. It lacks Emotion\."):
        build(root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"`dataset\.path` must be the folder of CK\+ .*which holds nothing\. .*codes=ckplus"
    ):
        build(tmp_path / "empty")


def test_a_run_goes_from_the_folder_to_the_end(command_line: CommandLine, copy: Path) -> None:
    done = command_line(
        "dataset=ckplus", f"dataset.path={copy}", "dataset.image_size=32", "debug=fast", "model.widths=[4,4]",
        "model.head_units=8", "export=none", "tracking.system_metrics=false",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "contempt" in done.stdout


def test_frames_and_classes_that_options_leave_out_may_be_named_by_corrections(copy: Path, tmp_path: Path) -> None:
    contempt = sorted(f"contempt/{file.name}" for file in (copy / "contempt").iterdir())
    early = sorted(f"happy/{file.name}" for file in (copy / "happy").iterdir() if "_00000003" in file.name)
    exclude = tmp_path / "exclude.csv"
    exclude.write_text("\n".join(["name", *contempt, *early]))
    splits = build(copy, contempt="drop", frames=1, exclude=str(exclude))
    assert splits.notes["corrections"]["left_out_anyway"] == len(contempt) + len(early) > 0
    exclude.write_text("name\ncontempt/S999_001_00000003.png\n")
    with pytest.raises(DataError, match=r"Unknown: contempt/S999_001_00000003\.png"):
        build(copy, contempt="drop", exclude=str(exclude))
