"""What evaluation, examination, files and pictures ask of the data is asked before the training."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cold_starts import without_anything_heavy
from PIL import Image

from fer_exp.assessment import examine, metrics
from fer_exp.data import demands
from fer_exp.dataset import Split, Splits
from fer_exp.errors import DataError
from fer_exp.options import config
from fer_exp.reporting import report

NAMES = ("angry", "happy", "sad")


def split(*labels: int, **changes: Any) -> Split:
    images = np.random.default_rng(len(labels)).integers(0, 256, (len(labels), 8, 8, 1)).astype(np.uint8)
    if "images" in changes:
        changes["inputs"] = {"image": changes.pop("images")}
    return dataclasses.replace(Split.of_images(images, np.array(labels, np.int64)), **changes)


def made(**changes: Any) -> Splits:
    parts = {"train": split(0, 1, 2, 0, 1, 2), "val": split(0, 1, 2), "test": split(0, 1, 2, 2)}
    rest = {"class_names": NAMES, "sha256": "0" * 64, "source": "faces"}
    return Splits(**{**parts, **rest, **changes})


def test_sound_data_pass_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    whole = made()
    assert demands.checked(whole) is whole
    assert not caplog.records


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"class_names": ("images",)}, "two classes or more to tell apart"),
        ({"class_names": ("a", "a", "b")}, "No two classes may have the same name"),
        (
            {"train": split(1, 1)},
            "The training images must show two classes or more. Received: 2 images of happy alone",
        ),
        ({"val": split()}, "The val split must have images. Received: none in faces."),
        ({"test": split()}, "The test split must have images. Received: none in faces."),
        ({"train": split()}, "The train split must have images. Received: none in faces."),
        (
            {"train": split(0, 1, 0, 1)},
            r"Every class of the val split must have training images. Without any: sad, in faces\.",
        ),
        (
            {"train": split(0, 1), "val": split(0, 1)},
            r"Every class of the test split must have training images. Without any: sad, in faces\.",
        ),
        ({"test": split(0, 3)}, "labels of the test split must be whole numbers from 0 to 2. Received: int64, 0 to 3."),
        ({"val": split(0, labels=np.array([0.0]))}, "labels of the val split must be whole numbers .*float64"),
        ({"val": split(0, 1, images=np.zeros((1, 8, 8, 1), np.uint8))}, r"must be uint8 of shape \(2, height"),
        ({"test": split(0, images=np.zeros((1, 8, 8, 1), np.float32))}, r"Received: float32 of shape \(1, 8, 8, 1\)"),
        ({"test": split(0, images=np.zeros((1, 8, 8, 4), np.uint8))}, r"Received: uint8 of shape \(1, 8, 8, 4\)"),
        ({"test": split(0, images=np.zeros((1, 9, 8, 1), np.uint8))}, r"\(8, 8, 1\) in train, \(9, 8, 1\) in test"),
        ({"train": split(0, 1, 2, targets=np.ones((3, 2), np.float32))}, r"soft labels .* shape \(3, 3\)"),
    ],
)
def test_what_would_break_at_the_end_is_told_in_one_sentence(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told) as error:
        demands.checked(made(**changes))
    assert "\n" not in str(error.value)


def test_a_class_that_a_split_lacks_is_told(caplog: pytest.LogCaptureFixture) -> None:
    demands.checked(made(test=split(0, 1), val=split(0)))
    assert [record.message for record in caplog.records] == [
        "The val split has no image of happy, sad: they count nothing where the epoch is chosen.",
        "The test split has no image of sad: their recall is undefined and stays out of the means.",
    ]


@pytest.mark.parametrize("labels", [(0,), (1, 1), (0, 1), (2, 0, 1)])
def test_whatever_passes_can_be_evaluated_examined_drawn_and_written(labels: tuple[int, ...], tmp_path: Path) -> None:
    """The smallest splits there are: one image, one class."""
    whole = demands.checked(made(test=split(*labels), val=split(0)))
    rows = np.full((len(labels), 3), 1 / 3, np.float32)
    evaluation = metrics.evaluate(rows, whole.test.labels, whole.class_names)
    report.write_evaluation(tmp_path, evaluation, whole.test)
    subject = examine.Subject(
        evaluation=evaluation,
        split=whole.test,
        name="test",
        before=evaluation,
        earlier={"train": whole.train, "val": whole.val},
        predict=lambda images: np.full((len(images), 3), 1 / 3, np.float32),
        model=None,
    )
    options = config.Evaluation(temperature_scaling=True, grad_cam=0, robustness="all", robustness_images=7)
    found = examine.examine(subject, options, tmp_path, seed=0)
    numbers = {**metrics.scalars(evaluation, "test"), **found.scalars}
    assert numbers["test/accuracy"] == np.mean(np.array(labels) == 0)
    assert all(np.isfinite(value) for value in numbers.values())


def fill(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        picture = io.BytesIO()
        Image.new("L", (8, 8), 9 * number).save(picture, "PNG")
        (folder / f"{number}.png").write_bytes(picture.getvalue())


@pytest.mark.parametrize("folders", [("train/images", "test/images"), ("images",), ("train/happy", "test/happy")])
def test_a_folder_with_one_class_is_told_before_tensorflow_is_imported(
    folders: tuple[str, ...], tmp_path: Path
) -> None:
    for folder in folders:
        fill(tmp_path / "faces" / folder, 8)
    parts = ["dataset.val=0.25", "dataset.test=0.25" if len(folders) == 1 else "dataset.test=test"]
    done = without_anything_heavy(
        tmp_path, "dataset=image_folder", "dataset.path=faces", *parts, but=("sklearn", "pandas")
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: There must be two classes or more to tell apart. Received: ")
    assert ("YOLO" in done.stderr) == folders[0].endswith("images")
    assert done.stderr.count("\n") == 1


def test_sources_with_one_class_in_common_are_told_before_tensorflow_is_imported(tmp_path: Path) -> None:
    for source, names in (("one", ("happy", "sad")), ("two", ("happy", "angry"))):
        for name in names:
            fill(tmp_path / source / "train" / name, 8)
            fill(tmp_path / source / "test" / name, 2)
    sources = ["dataset.sources.image_folder.path=one", "+dataset@dataset.sources.mine=image_folder"]
    shares = [f"dataset.sources.{name}.val=0.25" for name in ("image_folder", "mine")]
    words = ["dataset=combine", *sources, "dataset.sources.mine.path=two", *shares]
    done = without_anything_heavy(tmp_path, *words, but=("sklearn", "pandas"))
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: `dataset.sources` must have two classes in common, or use dataset.classes=un")
