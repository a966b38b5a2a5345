"""Image folders: both layouts, the mapping of names, decoding, and every message."""

import logging
import os
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_faces import flat, found_faces, photo
from PIL import Image

from fer_exp.data import image_cache, image_store
from fer_exp.data.emotions import EIGHT, EMOTIONS
from fer_exp.data.inputs import image
from fer_exp.data.stored_rows import StoredRows
from fer_exp.dataset import Splits, image_folder
from fer_exp.errors import DataError

KAGGLE = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")  # alphabetical, as folders are listed


def save(path: Path, value: int | tuple[int, int, int] = 100, size: tuple[int, int] = (8, 8), **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(value, int) else "RGB", size, value).save(path, **how)
    return path


def fill(root: Path, classes: tuple[str, ...], count: int, start: int = 0) -> Path:
    """Writes `count` flat images for each class; their grey value is 10 x the position of the class, plus a number."""
    for position, name in enumerate(classes):
        for number in range(count):
            save(root / name / f"{number}.png", 10 * position + number + start)
    return root


def build(root: Path, **options: Any) -> Splits:
    defaults = {"val": 0.1, "test": "test", "image_size": 8, "channels": 1, "class_names": None}
    more = {
        "codes": None,
        "faces": "none",
        "face_margin": 0.1,
        "face_alignment": "eyes",
        "on_bad_image": "error",
        "split_seed": 0,
        "exclude": None,
        "relabel": None,
        "cache_dir": str(root.parent / "cache"),
    }
    return image_folder.build(**{"path": str(root)} | defaults | more | options)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "faces"


def test_class_folders_alone_are_divided_by_fractions(root: Path) -> None:
    splits = build(fill(root, ("b", "a"), 10), val=0.1, test=0.3)
    assert splits.class_names == ("a", "b")
    assert [np.bincount(s.labels).tolist() for s in (splits.train, splits.val, splits.test)] == [[6, 6], [1, 1], [3, 3]]
    together = np.concatenate([s.images[:, 0, 0, 0] for s in (splits.train, splits.val, splits.test)])
    assert sorted(together.tolist()) == [*range(20)]
    assert splits.train.images.dtype == np.uint8
    assert splits.train.labels.dtype == np.int64
    assert splits.source == str(root)


@pytest.mark.parametrize("folder", ["val", "valid", "Validation"])
def test_split_folders_are_taken_by_name(folder: str, root: Path) -> None:
    fill(root / "train", ("a", "b"), 3)
    fill(root / folder, ("a", "b"), 2, start=100)
    fill(root / "test", ("a", "b"), 1, start=200)
    splits = build(root, val="val")
    assert splits.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    assert splits.val.images[:, 0, 0, 0].tolist() == [100, 101, 110, 111]
    assert splits.test.images[:, 0, 0, 0].tolist() == [200, 210]
    assert splits.test.labels.tolist() == [0, 1]


def test_validation_may_be_a_fraction_of_the_train_folder(root: Path) -> None:
    fill(root / "train", ("a", "b"), 10)
    fill(root / "test", ("a", "b"), 2, start=100)
    fill(root / "valid", ("a", "b"), 1, start=200)
    splits = build(root)
    assert [len(splits.train), len(splits.val), len(splits.test)] == [18, 2, 4]
    assert splits.notes == {"unused_images": 2}


def test_emotions_are_labelled_in_the_order_of_fer2013_and_not_of_the_folders(root: Path) -> None:
    fill(root / "train", KAGGLE, 2)
    fill(root / "test", KAGGLE, 1)
    splits = build(root, val=0.5)
    assert splits.class_names == EMOTIONS
    by_value = dict(zip(splits.test.images[:, 0, 0, 0].tolist(), splits.test.labels.tolist(), strict=True))
    assert by_value == {0: 0, 10: 1, 20: 2, 30: 3, 40: 6, 50: 4, 60: 5}  # neutral is 6, sad 4, surprise 5


def test_aliases_of_emotions_are_understood_in_any_case_and_may_differ_between_splits(root: Path) -> None:
    names = ("Anger", "Disgusted", "FEARFUL", "happiness", "Neutral", "sadness", "surprised")
    fill(root / "train", names, 2)
    fill(root / "test", KAGGLE, 1)
    splits = build(root, val=0.5)
    assert splits.class_names == EMOTIONS
    assert splits.test.labels.tolist() == [0, 1, 2, 3, 6, 4, 5]


def test_fewer_emotions_keep_their_order(root: Path) -> None:
    assert build(fill(root, ("neutral", "sadness", "happy"), 5), val=0.2, test=0.2).class_names == (
        "happy",
        "sad",
        "neutral",
    )


def test_one_unknown_name_makes_the_order_alphabetical(root: Path) -> None:
    names = ("surprise", "bored", "Anger")
    assert build(fill(root, names, 5), val=0.2, test=0.2).class_names == ("Anger", "bored", "surprise")


def test_contempt_comes_after_the_seven(root: Path) -> None:
    names = ("surprise", "contempt", "Anger")
    assert build(fill(root, names, 5), val=0.2, test=0.2).class_names == ("angry", "surprise", "contempt")


def test_class_names_decide_the_order(root: Path) -> None:
    splits = build(fill(root, ("a", "Happiness"), 5), val=0.2, test=0.2, class_names=["happy", "x", "A"])
    assert splits.class_names == ("happy", "x", "A")
    assert set(splits.train.labels.tolist()) == {0, 2}
    assert splits.notes == {"missing_classes": ["x"]}


def test_the_folder_copy_of_fer2013_is_divided_by_how_the_file_names_begin(root: Path) -> None:
    for name in KAGGLE:
        save(root / "train" / name / "Training_1.jpg", 1)
        save(root / "test" / name / "PublicTest_2.jpg", 20)
        save(root / "test" / name / "PrivateTest_3.jpg", 200)
    splits = build(root, val="PublicTest", test="PrivateTest")
    assert [set(s.images.ravel().tolist()) for s in (splits.train, splits.val, splits.test)] == [{1}, {20}, {200}]
    assert [len(splits.train), len(splits.val), len(splits.test)] == [7, 7, 7]


@pytest.mark.parametrize(
    "suffix",
    [
        *("png", "PNG", "jpg", "jpeg", "bmp", "webp", "jfif", "JPE", "tif", "tiff", "gif", "pgm", "ppm", "pbm", "avif"),
        *("tga", "jp2", "pcx", "qoi"),
    ],
)
def test_every_format_is_decoded(suffix: str, root: Path) -> None:
    value = 255 if suffix == "pbm" else (128, 128, 128) if suffix == "qoi" else 128
    for number in range(4):
        save(root / "a" / f"{number}.{suffix}", value)
    splits = build(root, val=0.25, test=0.25)
    assert [len(split) for split in (splits.train, splits.val, splits.test)] == [2, 1, 1]
    assert np.abs(splits.train.images.astype(int) - (255 if suffix == "pbm" else 128)).max() <= 1
    assert splits.notes == {}


def test_grey_and_colour_are_converted_to_what_is_asked_for(root: Path) -> None:
    for number in range(4):
        save(root / "a" / f"{number}.png", (200, 100, 50))
    colour = build(root, val=0.25, test=0.25, channels=3)
    assert colour.specs == image((8, 8, 3))
    assert colour.train.images[0, 0, 0].tolist() == [200, 100, 50]
    grey = build(root, val=0.25, test=0.25, channels=1)
    assert grey.specs == image((8, 8, 1))
    assert grey.train.images[0, 0, 0].tolist() == [124]  # ITU-R 601: 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2


def test_images_are_made_smaller_with_antialiasing(root: Path) -> None:
    checkers = Image.fromarray(np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 255)
    (root / "a").mkdir(parents=True)
    for number in range(4):
        checkers.save(root / "a" / f"{number}.png")
    images = build(root, val=0.25, test=0.25).train.images
    assert images.shape[1:] == (8, 8, 1)
    assert np.abs(images.astype(int) - 127).max() <= 2  # a grid of single pixels turns grey, not black or white


def test_the_orientation_that_a_camera_noted_is_respected(root: Path) -> None:
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:4] = 255  # bright above as stored
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was held upside down
    (root / "a").mkdir(parents=True)
    for number in range(4):
        Image.fromarray(pixels).save(root / "a" / f"{number}.png", exif=exif)
    np.testing.assert_array_equal(build(root, val=0.25, test=0.25).train.images[0, ..., 0], pixels[::-1])


def test_other_files_and_folders_are_counted_and_hidden_ones_passed_over(root: Path) -> None:
    fill(root / "train", ("a",), 4)
    fill(root / "test", ("a",), 1)
    fill(root / "extra", ("z",), 1)
    (root / "train" / "a" / "notes.txt").write_text("x")
    (root / "train" / "a" / "Thumbs.db").write_text("x")
    (root / ".git").mkdir()
    (root / "__MACOSX" / "a").mkdir(parents=True)
    splits = build(root, val=0.25)
    assert splits.notes == {
        "ignored_folders": ["extra"],
        "ignored_files": 2,
        "ignored_kinds": "1 .txt (no pictures)",
    }


def test_the_digest_is_equal_for_equal_content_only(root: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"val": 0.25, "test": 0.25}
    first = build(fill(root, ("a", "b"), 4), **options)
    copy = build(fill(tmp_path / "copy", ("a", "b"), 4), **options)
    other = build(fill(tmp_path / "other", ("a", "b"), 4, start=1), **options)
    reseeded = build(root, **options, split_seed=1)
    assert first.sha256 == copy.sha256
    assert len({first.sha256, other.sha256, reseeded.sha256}) == 3


def test_the_second_start_does_not_decode(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"val": 0.25, "test": 0.25}
    first = build(fill(root, ("a",), 4), **options)

    def unreachable(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(image_cache, "decode_all", unreachable)
    assert build(root, **options).sha256 == first.sha256
    for changed in ({"channels": 3}, {"image_size": 9}, {"on_bad_image": "skip"}):
        with pytest.raises(AssertionError, match="decoded again"):
            build(root, **options, **changed)
    os.utime(root / "a" / "0.png", ns=(1, 1))
    with pytest.raises(AssertionError, match="decoded again"):
        build(root, **options)


def test_a_damaged_cache_entry_is_rebuilt(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    options: dict[str, Any] = {"val": 0.25, "test": 0.25}
    expected = build(fill(root, ("a",), 4), **options).sha256
    (entry,) = (root.parent / "cache").glob("images-*/images.npy")
    entry.write_bytes(entry.read_bytes()[:-30])
    with caplog.at_level(logging.WARNING):
        assert build(root, **options).sha256 == expected
    assert "will be rebuilt" in caplog.text


def test_a_cache_folder_that_cannot_be_written_is_noted(root: Path) -> None:
    (root.parent / "cache").write_text("in the way")
    notes = build(fill(root, ("a",), 4), val=0.25, test=0.25).notes
    assert notes == {"cache": f"not cached: {root.parent / 'cache'} cannot be written (File exists)"}


def test_images_that_are_many_stay_on_disk_and_are_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"val": 0.25, "test": 0.25}
    held = build(fill(root, ("a", "b"), 8), **options)
    monkeypatch.setattr(image_store, "IN_MEMORY_BYTES", 0)
    splits = build(root, **options)
    assert isinstance(held.train.images, np.ndarray)
    assert isinstance(splits.train.images, StoredRows)
    np.testing.assert_array_equal(splits.train.images[:], held.train.images)
    assert splits.sha256 == held.sha256


def text_file(path: Path) -> None:
    path.write_text("no image")


def truncated(path: Path) -> None:
    Image.effect_noise((64, 64), 50).save(path, "PNG")
    path.write_bytes(path.read_bytes()[:500])


def deep(path: Path) -> None:
    Image.fromarray(np.full((8, 8), 30_000, np.uint16)).save(path, "PNG")


def drawn(path: Path) -> None:
    Image.new("L", (8, 8)).save(path, "EPS")


BAD_IMAGES = {
    text_file: "cannot identify image file",
    truncated: "truncated|broken|Truncated",
    deep: "more than 8 bits a channel",
    drawn: "cannot identify image file",
}


@pytest.mark.parametrize("spoil", BAD_IMAGES)
def test_an_image_that_cannot_be_decoded_is_an_error_that_names_it(spoil: Any, root: Path) -> None:
    spoil(fill(root, ("a",), 4) / "a" / "bad.png")
    with pytest.raises(DataError, match=rf"a/bad\.png cannot be decoded: .*({BAD_IMAGES[spoil]}).*on_bad_image=skip"):
        build(root, val=0.25, test=0.25)


@pytest.mark.parametrize("spoil", BAD_IMAGES)
def test_skip_leaves_such_images_out_and_counts_them_also_on_a_cache_hit(
    spoil: Any, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(fill(root, ("a",), 4, start=50) / "a" / "bad.png")
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            splits = build(root, val=0.25, test=0.25, on_bad_image="skip")
        assert splits.notes.pop("rejected_images").endswith("rejected_images.csv")
        assert splits.notes == {"skipped_images": 1, "first_skipped_images": [str(root / "a" / "bad.png")]}
        assert "1 images cannot be decoded" in caplog.text
        values = [s.images[:, 0, 0, 0].tolist() for s in (splits.train, splits.val, splits.test)]
        assert sorted(chain(*values)) == [50, 51, 52, 53]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("limit", "rule"), [(40, "8x8 pixels are more than 40"), (10, "its pixels are more than 10")])
def test_an_image_of_too_many_pixels_is_refused(
    limit: int, rule: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root, ("a",), 4)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DataError, match=rf"cannot be decoded: .*{rule}"):
        build(root, val=0.25, test=0.25)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda root: None, r"must be an existing folder.*\(nothing there\)"),
        (lambda root: root.write_text("x"), r"must be an existing folder.*\(a file\)"),
        (lambda root: root.mkdir(), "has no class folders with images.*Found folders: none"),
        (lambda root: save(root / "a.png"), "has no class folders with images.*Found folders: none"),
        (lambda root: (root / "a" / "b").mkdir(parents=True), "Expected <class>/.*Found folders: a"),
        (lambda root: (root / "train" / "a").mkdir(parents=True), "has no class folders .*Found folders: train"),
    ],
)
def test_a_folder_without_class_folders_is_an_error(make: Any, rule: str, root: Path) -> None:
    make(root)
    with pytest.raises(DataError, match=rule):
        build(root, val=0.25, test=0.25)


def test_two_folders_of_one_class_are_an_error(root: Path) -> None:
    with pytest.raises(DataError, match="The folders Happiness and happy mean the same class"):
        build(fill(root, ("happy", "Happiness", "sad"), 4), val=0.25, test=0.25)
    fill(root / "train", ("anger", "angry"), 4)
    with pytest.raises(DataError, match=r"The folders anger and angry in train mean the same class"):
        build(root, val=0.25, test=0.25)


def test_two_folders_of_one_split_are_an_error(root: Path) -> None:
    fill(root / "val", ("a",), 2)
    fill(root / "valid", ("a",), 2)
    with pytest.raises(DataError, match="val and valid both mean the val split"):
        build(root)


def test_a_split_folder_that_is_not_there_is_an_error_that_names_those_that_are(root: Path) -> None:
    fill(root / "train", ("a",), 4)
    fill(root / "valid", ("a",), 4)
    with pytest.raises(DataError, match=r"`dataset\.test`=test: .*Split folders with images: train, valid\."):
        build(root)
    with pytest.raises(DataError, match=r"`dataset\.val`=PublicTest: .*dataset\.val=0\.1"):
        build(root, val="PublicTest", test=0.25)


def test_a_split_name_for_class_folders_alone_is_an_error(root: Path) -> None:
    with pytest.raises(DataError, match=r"`dataset\.test`=test: .*none, only class folders.*dataset\.test=0\.1"):
        build(fill(root, ("a",), 4))


@pytest.mark.parametrize("name", ["val", "test"])
def test_the_train_folder_as_another_split_is_an_error(name: str, root: Path) -> None:
    fill(root / "train", ("a",), 4)
    with pytest.raises(DataError, match=rf"`dataset\.{name}` must not be the images that are trained on"):
        build(root, **{"val": 0.25, "test": 0.25} | {name: "training"})


def test_splits_that_share_images_are_an_error(root: Path) -> None:
    fill(root / "train", ("a",), 4)
    save(root / "test" / "a" / "PublicTest_1.png")
    for val in ("test", "PublicTest"):
        with pytest.raises(DataError, match=rf"must be different images\. Received: {val} and test"):
            build(root, val=val)


def test_fractions_that_leave_nothing_to_train_on_are_an_error(root: Path) -> None:
    with pytest.raises(DataError, match=r"must leave training rows\. Received: 0\.6 and 0\.4"):
        build(fill(root, ("a",), 4), val=0.6, test=0.4)


def test_a_class_without_training_images_is_an_error(root: Path) -> None:
    fill(root / "train", ("a", "b"), 4)
    fill(root / "test", ("a", "b", "c"), 1)
    with pytest.raises(DataError, match=r"Every class of the test split must have training images. Without any: c"):
        build(root, val=0.25)


def test_no_training_images_at_all_are_an_error(root: Path) -> None:
    fill(root / "val", ("a",), 1)
    fill(root / "test", ("a",), 1)
    with pytest.raises(DataError, match="There are no usable images for train"):
        build(root, val="val")


def test_a_split_of_which_nothing_can_be_decoded_is_an_error(root: Path) -> None:
    fill(root / "train", ("a",), 4)
    fill(root / "test", ("a",), 1)
    text_file(root / "test" / "a" / "0.png")
    with pytest.raises(DataError, match="There are no usable images for test"):
        build(root, val=0.25, on_bad_image="skip")


def test_class_names_that_do_not_fit_the_folders_are_an_error(root: Path) -> None:
    fill(root, ("a", "b", "c"), 4)
    with pytest.raises(DataError, match=r"must name every class folder\. .*without: \['b', 'c'\]"):
        build(root, val=0.25, test=0.25, class_names=["a"])
    with pytest.raises(DataError, match=r"must not name a class twice"):
        build(root, val=0.25, test=0.25, class_names=["a", "b", "c", "B"])


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_link_out_of_the_folder_is_an_error(what: str, root: Path, tmp_path: Path) -> None:
    fill(root, ("a",), 4)
    outside = save(tmp_path / "outside" / "0.png")
    if what == "folder":
        (root / "b").symlink_to(outside.parent)
    else:
        (root / "a" / "link.png").symlink_to(outside)
    with pytest.raises(DataError, match=r"is a link out of .*faces"):
        build(root, val=0.25, test=0.25)


def test_a_link_inside_the_folder_is_followed_and_the_folder_may_be_a_link_itself(root: Path, tmp_path: Path) -> None:
    fill(root, ("a",), 3)
    (root / "a" / "link.png").symlink_to(root / "a" / "0.png")
    (tmp_path / "alias").symlink_to(root)
    splits = build(tmp_path / "alias", val=0.25, test=0.25)
    assert len(splits.train) + len(splits.val) + len(splits.test) == 4


def test_a_folder_that_cannot_be_read_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(root, ("a",), 3)
    scan = os.scandir

    def denied(folder: Path) -> Any:
        if folder == root / "a":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(DataError, match=r"faces/a cannot be read: Permission denied\. Check its permissions"):
        build(root, val=0.25, test=0.25)


def photos(root: Path) -> Path:
    """Two classes of photos with a face each, and one of the first class without."""
    for name, face in zip(("happy", "sad"), found_faces(), strict=True):
        (root / name).mkdir(parents=True)
        for number in range(4):
            photo(face).save(root / name / f"{number}.png")
    flat(128, (300, 400)).save(root / "happy" / "empty.png")
    return root


def test_faces_are_cut_out_of_photos_and_photos_without_one_are_left_out_and_listed(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = {"val": 0.25, "test": 0.25, "image_size": 32, "faces": "haar"}
    photos(root)
    for _ in ("decoded", "from the cache"):
        with caplog.at_level(logging.WARNING):
            splits = build(root, **options)
        assert "no face in 1 of 9 images, left out; the first:" in caplog.text
        caplog.clear()
        assert [len(split) for split in (splits.train, splits.val, splits.test)] == [4, 2, 2]
        assert splits.notes["images_without_a_face"] == 1
        rejected = Path(splits.notes["rejected_images"]).read_text()
        assert rejected.splitlines() == ["name,reason", "happy/empty.png,no face was found"]
    whole = build(root, **{**options, "faces": "none"}).train.images
    ground = [float(np.mean(np.abs(images.astype(int) - 128) < 3)) for images in (splits.train.images, whole)]
    assert ground[0] < 0.1 < 0.6 < ground[1]  # of the even ground around the faces hardly anything is left


def test_how_faces_are_cut_is_part_of_what_the_cache_knows(root: Path) -> None:
    options: dict[str, Any] = {"val": 0.25, "test": 0.25, "image_size": 32, "faces": "haar"}
    photos(root)
    found = [
        build(root, **options, **more).sha256
        for more in ({}, {"face_margin": 0.4}, {"face_margin": 0.4, "face_alignment": "none"})
    ]
    assert len(set(found)) >= 2
    assert found[0] != found[1]
    assert len(list((root.parent / "cache").glob("images-*"))) == 3


def test_photos_of_which_none_shows_a_face_are_an_error(root: Path) -> None:
    with pytest.raises(DataError, match="There are no usable images for train. Check the folders, and the warnings"):
        build(fill(root, ("a", "b"), 4), val=0.25, test=0.25, faces="haar")


def test_images_that_cannot_be_decoded_and_unused_splits_may_be_named_by_corrections(root: Path) -> None:
    for split, count in (("train", 10), ("val", 2), ("test", 2)):
        fill(root / split, ("a", "b"), count)
    text_file(root / "train" / "a" / "bad.png")
    exclude = root.parent / "exclude.csv"
    exclude.write_text("name\ntrain/a/bad.png\nval/b/1.png\n")
    splits = build(root, on_bad_image="skip", exclude=str(exclude))
    assert splits.notes["corrections"]["left_out_anyway"] == 2
    exclude.write_text("name\ntrain/a/99.png\n")
    with pytest.raises(DataError, match=r"Unknown: train/a/99\.png \(1 in all\)"):
        build(root, on_bad_image="skip", exclude=str(exclude))


def test_a_folder_that_is_nearly_an_expression_is_warned_about_and_noted(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(root, ("hapy", "sad", "angry"), 5)
    with caplog.at_level(logging.WARNING):
        splits = build(root, val=0.2, test=0.2)
    assert splits.class_names == ("angry", "hapy", "sad")
    assert splits.notes == {"misnamed_classes": {"hapy": "happy"}}
    assert f"{root}: is the class folder hapy meant to be happy? One class that is no expression" in caplog.text
    assert "Rename it, or name the classes by dataset.class_names" in caplog.text
    caplog.clear()
    assert build(root, val=0.2, test=0.2, class_names=["hapy", "sad", "angry"]).notes == {}
    (root / "hapy").rename(root / "bored")
    assert build(root, val=0.2, test=0.2).notes == {}
    assert caplog.text == ""


def test_parts_of_fer2013_that_are_one_split_are_warned_about_and_noted(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in KAGGLE:
        for number in range(10):
            save(root / "train" / name / f"Training_{number}.jpg")
        save(root / "test" / name / "PublicTest_2.jpg")
        save(root / "test" / name / "PrivateTest_3.jpg")
    with caplog.at_level(logging.WARNING):
        splits = build(root)
    assert splits.notes == {"merged_usages": {"test": {"PrivateTest": 7, "PublicTest": 7}}}
    assert "merged here: test has 7 of PrivateTest and 7 of PublicTest. Numbers do not compare" in caplog.text
    assert "Its own division: dataset=fer2013 with the same dataset.path" in caplog.text
    caplog.clear()
    assert build(root, val="PublicTest", test="PrivateTest").notes == {}
    assert caplog.text == ""


def test_parts_of_fer2013_in_class_folders_alone_are_merged_too(root: Path) -> None:
    for name in ("happy", "sad"):
        for usage in ("Training", "PublicTest", "PrivateTest"):
            for number in range(2):
                save(root / name / f"{usage}_{number}.jpg")
    notes = build(root, val=0.2, test=0.2).notes
    assert notes == {"merged_usages": {"train": {"PrivateTest": 4, "PublicTest": 4, "Training": 4}}}


def sizes(splits: Splits) -> list[int]:
    return [len(split) for split in (splits.train, splits.val, splits.test)]


def test_pictures_in_folders_of_a_class_folder_are_of_that_class(root: Path) -> None:
    fill(root / "happy", ("S01", "S02/deep"), 4)
    fill(root, ("sad",), 4, start=100)
    save(root / "sad" / "more" / "0.png", 150)
    splits = build(root, val=0.25, test=0.25)
    assert splits.class_names == ("happy", "sad")
    assert sum(sizes(splits)) == 13
    names = np.concatenate([s.names for s in (splits.train, splits.val, splits.test) if s.names is not None])
    assert {"happy/S01/0.png", "happy/S02/deep/3.png", "sad/more/0.png"} <= set(names.tolist())
    assert splits.notes == {}


def test_a_class_without_folders_in_it_keeps_the_order_and_so_the_digest_it_had(root: Path) -> None:
    options: dict[str, Any] = {"val": 0.25, "test": 0.25}
    save(fill(root, ("a", "b"), 4) / "a" / "0 sub" / "0.png", 200)
    splits = build(root, **options)
    (root / "a" / "0 sub" / "0.png").rename(root / "a" / "z.png")
    (root / "a" / "0 sub").rmdir()
    assert build(root, **options).sha256 == splits.sha256  # a class's own pictures come first, by name


@pytest.mark.parametrize("target", [".", "happy", "happy/deep"])
def test_a_link_that_would_read_a_folder_twice_is_an_error(target: str, root: Path) -> None:
    fill(root, ("happy/deep", "sad"), 4)
    (root / "happy" / "deep" / "loop").symlink_to(root / target)
    with pytest.raises(DataError, match="would be read twice"):
        build(root, val=0.25, test=0.25)


def test_what_is_left_out_is_said_in_one_line_by_kind_with_the_reason(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(root / "train", ("happy", "sad"), 4)
    fill(root / "test", ("happy", "sad"), 1)
    fill(root / "misc", ("happy",), 1)
    for name in ("happy/a.HEIC", "happy/b.heic", "sad/c.nef", "sad/Thumbs.db", "sad/sub/notes.txt"):
        (root / "train" / name).parent.mkdir(exist_ok=True)
        (root / "train" / name).touch()
    save(root / "loose.jpg")
    save(root / "test" / "loose.jpg")
    with caplog.at_level(logging.WARNING):
        notes = build(root, val=0.25).notes
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        f"{root}: left out are 1 .nef (convert them to PNG or JPEG), 2 .heic (install pillow-heif to read them), 1 "
        f".txt (no pictures), 2 pictures outside of the class folders, such as {root / 'loose.jpg'}, the folders misc "
        "(not known as train, val or test)."
    )
    assert notes["ignored_files"] == 5
    assert notes["pictures_outside"] == 2
    assert notes["ignored_folders"] == ["misc"]


def test_a_folder_of_pictures_that_cannot_be_read_says_what_to_install(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "happy").mkdir(parents=True)
    (root / "happy" / "IMG_1.heic").touch()
    with caplog.at_level(logging.WARNING), pytest.raises(DataError, match="has no class folders with images"):
        build(root)
    assert "1 .heic (install pillow-heif to read them)" in caplog.text


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("Training", "PublicTest", "PrivateTest"),
        ("train_set", "dev", "test_set"),
        ("train", "eval", "test"),
        ("Train Data", "validation-set", "Testing"),
        ("TRAINING_IMAGES", "valid_data", "TestData"),
        ("train_split", "evaluation", "test_split"),
    ],
)
def test_split_folders_are_known_by_the_words_that_people_use(train: str, val: str, test: str, root: Path) -> None:
    for folder, count, start in ((train, 4, 0), (val, 2, 100), (test, 1, 200)):
        fill(root / folder, ("happy", "sad"), count, start)
    for options in ({"val": None}, {"val": val, "test": test}, {"val": "val"}):
        splits = build(root, **options)
        assert sizes(splits) == [8, 4, 2]
        assert splits.val.images.min() >= 100 > splits.train.images.max()
        assert splits.test.images.min() >= 200
        assert splits.notes == {}


def test_without_a_word_about_it_the_folder_of_validation_images_is_used_or_else_a_tenth(root: Path) -> None:
    fill(root / "train", ("a", "b"), 20)
    fill(root / "test", ("a", "b"), 2)
    assert sizes(build(root, val=None)) == [36, 4, 4]
    fill(root / "valid", ("a", "b"), 3)
    assert sizes(build(root, val=None)) == [40, 6, 4]
    assert sizes(build(root, val=None, test="valid")) == [36, 4, 6]  # it cannot be both


@pytest.mark.parametrize("folder", ["test", "Testing", "PrivateTest", "test_set"])
def test_fractions_that_would_pass_over_a_test_folder_are_refused_with_both_commands(folder: str, root: Path) -> None:
    fill(root / "train", ("a", "b"), 20)
    fill(root / folder, ("a", "b"), 3)
    with pytest.raises(DataError) as caught:
        build(root, val=0.15, test=0.15)
    assert str(caught.value) == (
        f"`dataset.test`=0.15 would pass over the folder {folder} of {root}, a test split of 6 images. Test on it: "
        f"dataset.path={root} dataset.val=0.15 dataset.test=test. Or draw from the folder train alone: "
        f"dataset.path={root / 'train'} dataset.val=0.15 dataset.test=0.15"
    )
    assert sizes(build(root, val=0.15, test="test")) == [34, 6, 6]
    assert sizes(build(root / "train", val=0.15, test=0.15)) == [28, 6, 6]


def test_parts_of_fer2013_that_no_split_uses_are_named_by_how_the_files_are(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("happy", "sad"):
        for number in range(10):
            save(root / "train" / name / f"Training_{number}.png")
        save(root / "test" / name / "PublicTest_2.png")
        save(root / "test" / name / "PrivateTest_3.png")
    with pytest.raises(DataError, match=r"would pass over .* dataset\.val=PublicTest dataset\.test=PrivateTest\.$"):
        build(root, val="PublicTest", test=0.2)
    assert sizes(build(root, val="PublicTest", test="PrivateTest")) == [20, 2, 2]
    with caplog.at_level(logging.WARNING):
        build(root, val=0.2, test="PrivateTest")
    assert (
        "in none of train, val and test are: PublicTest (2 images). A part is used by its name, such as " in caplog.text
    )
    assert "dataset.val=PublicTest" in caplog.text


def test_the_second_command_draws_what_was_drawn_when_the_folder_was_passed_over(root: Path) -> None:
    fill(root / "train", ("a", "b"), 20)
    drawn = build(root, val=0.15, test=0.15).sha256
    fill(root / "test", ("a", "b"), 3)
    assert build(root / "train", val=0.15, test=0.15).sha256 == drawn


def test_a_fraction_that_passes_over_the_folder_of_validation_images_says_so(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(root / "train", ("a", "b"), 20)
    fill(root / "valid", ("a", "b"), 3)
    fill(root / "test", ("a", "b"), 2)
    with caplog.at_level(logging.WARNING):
        assert sizes(build(root, val=0.15)) == [34, 6, 4]
    assert "in none of train, val and test are: valid (6 images)." in caplog.text
    assert "dataset.val=valid" in caplog.text


@pytest.mark.parametrize("top", ["phase1", "fold 2", "images"])
def test_folders_of_classes_under_an_unknown_name_are_refused_and_not_taken_for_a_class(top: str, root: Path) -> None:
    fill(root / top, ("happy", "sad"), 4)
    with pytest.raises(
        DataError, match=rf"{top} must be the folder of a class, or of a split.*dataset\.path={root / top}"
    ):
        build(root)
    fill(root, ("happy",), 4)
    with pytest.raises(DataError, match=rf"{top} must be the folder of a class"):
        build(root)


def test_numbered_classes_under_an_unknown_name_and_a_folder_around_other_classes_are_refused_too(root: Path) -> None:
    fill(root / "part1", ("0", "1"), 2)
    fill(root / "part2", ("0", "1"), 2)
    with pytest.raises(DataError, match=r"part1 must be the folder of a class, or of a split"):
        build(root)
    other = root.parent / "other"
    fill(other / "pets", ("cat", "dog"), 4)
    fill(root.parent / "packed" / "archive" / "pets", ("cat", "dog"), 4)
    with pytest.raises(DataError, match=r"It holds one, archive, with pets in it"):
        build(root.parent / "packed")
    with pytest.raises(DataError, match=rf"It holds one, pets, with cat, dog in it\..*dataset\.path={other / 'pets'}"):
        build(other)


AFFECTNET = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")


def test_codes_name_class_folders_that_are_numbers(root: Path) -> None:
    for folder, count in (("train", 5), ("val", 1), ("test", 1)):
        fill(root / folder, tuple(map(str, range(8))), count)
    splits = build(root, val="val", codes="affectnet")
    assert splits.class_names == EIGHT
    by_label = dict(zip(splits.test.labels.tolist(), splits.test.images[:, 0, 0, 0].tolist(), strict=True))
    assert {EIGHT[label]: grey // 10 for label, grey in by_label.items()} == {n: c for c, n in enumerate(AFFECTNET)}


@pytest.mark.parametrize(
    ("codes", "folders", "first"),
    [("rafdb", range(1, 8), "surprise"), ("fer2013", range(7), "angry"), ("ferplus", range(8), "neutral"),
     ("ckextended", range(8), "angry"), ("ckplus", range(1, 8), "angry")],
)  # fmt: skip
def test_every_numbering_is_its_own(codes: str, folders: range, first: str, root: Path) -> None:
    fill(root, tuple(map(str, folders)), 5)
    splits = build(root, val=0.2, test=0.2, codes=codes)
    assert set(splits.class_names) <= set(EIGHT)
    label = splits.class_names.index(first)
    assert set((splits.train.images[splits.train.labels == label][:, 0, 0, 0] // 10).tolist()) == {0}


def test_codes_that_are_no_expressions_are_left_out_and_said_and_may_be_named_by_corrections(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(root, ("0", "1", "8", "10"), 5)
    (root.parent / "exclude.csv").write_text("name\n8/0.png\n")
    with caplog.at_level(logging.WARNING):
        splits = build(root, val=0.2, test=0.2, codes="affectnet", exclude=str(root.parent / "exclude.csv"))
    assert splits.class_names == ("happy", "neutral")
    assert sum(sizes(splits)) == 10
    assert splits.notes["left_out_classes"] == {"10": 5, "8": 5}
    assert splits.notes["corrections"]["left_out_anyway"] == 1
    assert "left out are the class folders 10 (5 images), 8 (5 images)" in caplog.text


def test_codes_that_do_not_fit_are_refused_with_those_that_do(root: Path) -> None:
    fill(root, ("0", "1"), 5)
    with pytest.raises(
        DataError, match=r"`dataset\.codes`=rafdb .* 1 to 7\. Received: .* with 0\..*They fit: .*fer2013"
    ):
        build(root, codes="rafdb")
    fill(root, ("happy",), 5)
    with pytest.raises(DataError, match=r"`dataset\.codes`=fer2013 .* 0 to 6\. Received: .* with happy\.$"):
        build(root, codes="fer2013")
    with pytest.raises(DataError, match="must not both be given"):
        build(root, codes="fer2013", class_names=["a"])


def test_numbers_without_codes_are_classes_with_a_warning_that_says_how_to_name_them(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        splits = build(fill(root, ("0", "1", "2"), 5), val=0.2, test=0.2)
    assert splits.class_names == ("0", "1", "2")
    assert splits.notes == {"numbered_classes": ["0", "1", "2"]}
    assert "dataset.codes=<affectnet or ckextended or ckplus or fer2013 or ferplus>" in caplog.text
    assert "dataset.class_names={0: <name>, ...}" in caplog.text


@pytest.mark.parametrize(
    "mapping",
    [
        {"0": "happiness", "1": "natural", "2": None, "joy": "Happy"},
        ["0=happiness", "1=natural", "2=null", "joy=Happy"],
    ],
)
def test_a_mapping_names_folders_puts_some_together_and_leaves_some_out(mapping: Any, root: Path) -> None:
    fill(root, ("0", "1", "2", "joy"), 5)
    splits = build(root, val=0.2, test=0.2, class_names=mapping)
    assert splits.class_names == ("happy", "neutral")
    assert sum(sizes(splits)) == 15
    assert set((splits.train.images[splits.train.labels == 0][:, 0, 0, 0] // 10).tolist()) == {0, 3}


def test_classes_of_a_mapping_that_are_no_expressions_keep_its_order(root: Path) -> None:
    fill(root, ("a", "b", "c"), 5)
    mapping = {"c": "up", "a": "down", "B": "up"}
    assert build(root, val=0.2, test=0.2, class_names=mapping).class_names == ("up", "down")


def test_a_mapping_that_does_not_fit_the_folders_is_an_error(root: Path) -> None:
    fill(root, ("a", "b"), 5)
    for mapping, rule in (
        ({"a": "x"}, "without the folders b"),
        ({"a": "x", "b": "y", "c": "z"}, "with c, which are no folders"),
        ({"a": "x", "A": "y", "b": "z"}, "with two spellings of one folder"),
        ({"a": "happy", "b": "Bored", "c": "x"}, "with c, which are no folders"),
        ({"a": None, "b": None}, "must name classes"),
        (["a=x", "a=y"], "must name each folder once"),
    ):
        with pytest.raises(DataError, match=rule):
            build(root, class_names=mapping)
