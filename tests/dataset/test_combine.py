"""Several data sets as one: classes by name, images of one size, and each image knows where it is from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts import compose, node
from PIL import Image

from fer_exp.data import image_store
from fer_exp.data.inputs import image
from fer_exp.data.stored_rows import StoredRows
from fer_exp.dataset import Split, Splits
from fer_exp.dataset.combine import _relabelled
from fer_exp.errors import ConfigError, DataError
from fer_exp.options import config


def folder(root: Path, classes: dict[str, int], size: int = 8, count: int = 4) -> Path:
    """Writes flat images of each class, whose grey value is given, in train, val and test."""
    for split in ("train", "val", "test"):
        for name, value in classes.items():
            place = root / split / name
            place.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(np.full((size, size), value, np.uint8)).save(place / f"{number}.png")
    return root


@pytest.fixture
def nodes(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Two data sets that spell the same classes in other ways and orders; each has one of its own."""
    first = folder(tmp_path / "first", {"happy": 10, "sad": 20, "angry": 30})
    second = folder(tmp_path / "second", {"sadness": 120, "Happiness": 110, "surprise": 140}, size=12)
    options = {"val": "val", "test": "test", "cache_dir": str(tmp_path / "cache")}
    return {
        "first": node("dataset", "image_folder", path=str(first), image_size=8, **options),
        "second": node("dataset", "image_folder", path=str(second), image_size=12, **options),
    }


def build(sources: dict[str, Any], tmp_path: Path, **options: Any) -> Splits:
    more = {"image_size": 8, "channels": 1, "cache_dir": str(tmp_path / "cache"), **options}
    built: Splits = config.build(node("dataset", "combine", sources=sources, **more))
    return built


def by_class(split: Split, splits: Splits) -> dict[str, set[int]]:
    return {
        name: set(split.images[split.labels == label][:, 0, 0, 0].tolist())
        for label, name in enumerate(splits.class_names)
    }


def test_common_classes_are_united_by_name_and_images_of_others_left_out(nodes: Any, tmp_path: Path) -> None:
    splits = build(nodes, tmp_path)
    assert splits.class_names == ("happy", "sad")
    assert by_class(splits.train, splits) == {"happy": {10, 110}, "sad": {20, 120}}
    assert [len(split) for split in (splits.train, splits.val, splits.test)] == [16, 16, 16]
    assert splits.specs == image((8, 8, 1))
    assert splits.notes == {"first.images_of_other_classes": 12, "second.images_of_other_classes": 12}


def test_a_union_has_every_class_in_the_order_of_the_expressions(nodes: Any, tmp_path: Path) -> None:
    splits = build(nodes, tmp_path, classes="union")
    assert splits.class_names == ("angry", "happy", "sad", "surprise")
    assert by_class(splits.test, splits) == {"angry": {30}, "happy": {10, 110}, "sad": {20, 120}, "surprise": {140}}


def test_every_image_knows_its_source_and_is_named_by_it(nodes: Any, tmp_path: Path) -> None:
    splits = build(nodes, tmp_path)
    assert splits.source_names == ("first", "second")
    assert splits.train.sources is not None
    assert splits.train.names is not None
    assert splits.train.sources.tolist() == [0] * 8 + [1] * 8
    assert (splits.train.images[:, 0, 0, 0] >= 100).tolist() == (splits.train.sources == 1).tolist()
    assert splits.train.names[[0, -1]].tolist() == ["first/train/happy/0.png", "second/train/sadness/3.png"]
    assert "first (" in splits.source
    assert "second (" in splits.source


def test_a_source_may_be_tested_on_only_with_its_test_split_or_with_all_images(nodes: Any, tmp_path: Path) -> None:
    splits = build(nodes, tmp_path, test="second")
    assert by_class(splits.train, splits) == by_class(splits.val, splits) == {"happy": {10}, "sad": {20}}
    assert by_class(splits.test, splits) == {"happy": {110}, "sad": {120}}
    assert [len(split) for split in (splits.train, splits.val, splits.test)] == [8, 8, 8]
    whole = build(nodes, tmp_path, test="second", test_images="all")
    assert [len(split) for split in (whole.train, whole.val, whole.test)] == [8, 8, 24]
    assert whole.test.names is not None
    assert len(set(whole.test.names.tolist())) == 24


def test_train_names_what_is_trained_on_and_others_are_not_read(nodes: Any, tmp_path: Path) -> None:
    nodes["unused"] = node("dataset", "image_folder", path=str(tmp_path))  # holds no images
    splits = build(nodes, tmp_path, train=["first"], test=["second", "first"])
    assert splits.source_names == ("first", "second")
    assert by_class(splits.train, splits)["happy"] == {10}
    assert by_class(splits.test, splits)["happy"] == {10, 110}


def test_sources_that_do_not_resize_are_resized_once(nodes: Any, tmp_path: Path, monkeypatch: Any) -> None:
    nodes["drawn"] = node("dataset", "synthetic", train_size=14, val_size=7, test_size=7)
    options = {"channels": 3, "image_size": 24}  # drawn faces are always grey
    splits = build(nodes, tmp_path, **options)
    assert splits.specs == image((24, 24, 3))
    assert splits.train.names is not None
    assert splits.train.names[-1].startswith("drawn/train ")
    monkeypatch.setattr(image_store, "IN_MEMORY_BYTES", 0)
    on_disk = build(nodes, tmp_path, **options)
    assert isinstance(on_disk.train.images, StoredRows)
    np.testing.assert_array_equal(on_disk.train.images[:], splits.train.images)
    assert on_disk.sha256 == splits.sha256


def test_persons_of_two_sources_are_not_mixed_up(nodes: Any, tmp_path: Path, monkeypatch: Any) -> None:
    build_one = config.build

    def with_persons(one: Any, **changes: Any) -> Any:
        found = build_one(one, **changes)
        if isinstance(found, Splits) and not found.source_names and found.source.endswith("first"):
            object.__setattr__(found.train, "groups", np.full(len(found.train), "S1"))
        return found

    monkeypatch.setattr(config, "build", with_persons)
    groups = build(nodes, tmp_path).train.groups
    assert groups is not None
    assert set(groups[:8].tolist()) == {"first/S1"}
    assert len(set(groups[8:].tolist())) == 8


def test_images_are_left_out_and_labelled_anew_by_their_prefixed_names(nodes: Any, tmp_path: Path) -> None:
    (tmp_path / "exclude.csv").write_text("name\nsecond/train/sadness/3.png\n")
    (tmp_path / "relabel.csv").write_text("name,label\nfirst/train/happy/0.png,sad\n")
    splits = build(nodes, tmp_path, exclude=str(tmp_path / "exclude.csv"), relabel=str(tmp_path / "relabel.csv"))
    assert len(splits.train) == 15
    assert splits.class_names[splits.train.labels[0]] == "sad"
    assert splits.train.images[0, 0, 0, 0] == 10


def test_images_that_no_split_takes_may_be_named_by_corrections(nodes: Any, tmp_path: Path) -> None:
    dropped = ["first/train/angry/0.png", "second/train/surprise/1.png", "second/val/sadness/1.png"]
    (tmp_path / "exclude.csv").write_text("\n".join(["name", *dropped, "first/train/sad/0.png"]))
    splits = build(nodes, tmp_path, test="second", exclude=str(tmp_path / "exclude.csv"))
    assert splits.notes["corrections"]["left_out_anyway"] == 3
    assert len(splits.train) == 7
    (tmp_path / "own.csv").write_text("name\ntrain/sad/1.png\n")  # left out by the source itself
    nodes["first"]["exclude"] = str(tmp_path / "own.csv")
    (tmp_path / "exclude.csv").write_text("name\nfirst/train/sad/1.png\n")
    assert len(build(nodes, tmp_path, exclude=str(tmp_path / "exclude.csv")).train) == 15
    (tmp_path / "exclude.csv").write_text("name\nfirst/train/sad/9.png\n")
    with pytest.raises(DataError, match=r"Unknown: first/train/sad/9\.png"):
        build(nodes, tmp_path, exclude=str(tmp_path / "exclude.csv"))


def test_what_soft_targets_said_of_classes_that_are_gone_is_shared_out() -> None:
    targets = np.array([[0.5, 0.25, 0.25], [1, 0, 0], [0.25, 0, 0.75], [1, 0, 0]], np.float32)
    split = Split.of_images(np.zeros((4, 2, 2, 1), np.uint8), np.array([1, 0, 2, 2]), targets)
    found = _relabelled(split, ("contempt", "sad", "happiness"), ("happy", "sad"))
    assert found.labels.tolist() == [1, 0, 0]
    assert found.targets is not None
    np.testing.assert_allclose(found.targets, [[0.5, 0.5], [1, 0], [1, 0]])


def test_classes_that_do_not_fit_are_an_error(nodes: Any, tmp_path: Path) -> None:
    other = folder(tmp_path / "third", {"bored": 1, "happy": 2})
    nodes["third"] = node("dataset", "image_folder", path=str(other), val="val", cache_dir=str(tmp_path / "cache"))
    with pytest.raises(DataError, match=r"must have two classes in common, or use .*union\. first: angry, happy, sad;"):
        build(nodes, tmp_path)
    with pytest.raises(DataError, match=r"of the test split must have training images\. Without any: bored\. Use"):
        build(nodes, tmp_path, test="third", classes="union")


def test_messages_of_a_source_name_its_options_as_they_are_given(nodes: Any, tmp_path: Path) -> None:
    nodes["second"] |= {"val": 0.1}
    with pytest.raises(DataError) as caught:
        build(nodes, tmp_path)
    assert str(caught.value) == (
        "`dataset.sources.second.val` must draw an image of each class from the training images, and leave one of "
        "each. Received: dataset.sources.second.val=0.1, which draws 2 and leaves 10 of 12 images in 3 classes in "
        f"{tmp_path / 'second'}. Give a fraction from 0.25 to 0.75, or name a split that the source has."
    )


def test_a_split_that_is_left_without_images_is_an_error(nodes: Any, tmp_path: Path) -> None:
    nodes["third"] = node(
        "dataset", "image_folder", path=str(folder(tmp_path / "third", {"x": 1, "y": 2})), val="val",
        class_names=["happy", "sad", "x", "y"], cache_dir=str(tmp_path / "cache"),
    )  # fmt: skip
    with pytest.raises(DataError, match="There are no images for test of the classes happy, sad"):
        build(nodes, tmp_path, test="third")


def given(*overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.check(compose("dataset=combine", *overrides))
    return list(caught.value.problems)


def test_paths_on_the_command_line_say_which_data_sets_are_meant(tmp_path: Path) -> None:
    (tmp_path / "faces.csv").touch()
    paths = [f"dataset.sources.fer2013.path={tmp_path}/faces.csv", f"dataset.sources.rafdb.path={tmp_path}"]
    more = ["+dataset@dataset.sources.mine=image_folder", f"dataset.sources.mine.path={tmp_path}"]
    found = config.check(compose("dataset=combine", *paths, *more)).dataset["sources"]
    assert list(found) == ["fer2013", "rafdb", "mine"]


def test_mistakes_are_found_before_anything_is_read(tmp_path: Path) -> None:
    paths = [f"dataset.sources.rafdb.path={tmp_path}", f"dataset.sources.image_folder.path={tmp_path}"]
    assert "must hold two data sets or more" in given(*paths[:1])[0]
    assert (
        "`dataset.sources.image_folder.channels` must be 1 or 3"
        in given(*paths, "dataset.sources.image_folder.channels=2")[0]
    )
    (unknown, test) = given(*paths, "++dataset.sources.rafdb.vall=1", "dataset.test=rafbd")
    assert "Did you mean `dataset.sources.rafdb.val`?" in unknown
    assert "`dataset.test` must name sources whose path is given: rafdb, image_folder. Received: rafbd." in test


def test_every_real_data_set_can_be_a_source() -> None:
    options = {path.stem for path in (config.CONF / "dataset").glob("*.yaml")}
    assert set(compose("dataset=combine")["dataset"]["sources"]) == options - {"synthetic", "combine"}
