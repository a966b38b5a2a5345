"""Cross-validation: each image of train and val is validated once, every fold looks like the whole, test stays."""

import dataclasses
import re
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import CommandLine

from fer_exp.data import folds
from fer_exp.dataset import Split, Splits, assemble
from fer_exp.errors import DataError
from fer_exp.options import commandline

NAMES = ("a", "b", "c")
COUNTS = (31, 8, 17)  # images of each class in train and val together; no multiple of the folds


def data(counts: tuple[int, ...] = COUNTS) -> Splits:
    """Returns images that hold their own number, the classes mixed, a quarter of them in val."""
    labels = np.repeat(np.arange(len(counts)), counts)
    rng = np.random.default_rng(0)
    labels = rng.permutation(labels)
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    first = len(labels) * 3 // 4
    test = Split.of_images(np.full((3, 1, 1, 1), 255, np.uint8), np.array([0, 1, 2]) % len(counts))
    splits = {
        "train": Split.of_images(images[:first], labels[:first]),
        "val": Split.of_images(images[first:], labels[first:]),
    }
    return assemble({**splits, "test": test}, tuple("abc"[: len(counts)]), "here")


def numbers(split: Split) -> list[int]:
    return split.images.ravel().tolist()


def test_every_image_of_train_and_val_is_validated_exactly_once() -> None:
    splits = data()
    validated = [number for fold in range(5) for number in numbers(folds.divide(splits, 5, fold).val)]
    assert sorted(validated) == sorted(numbers(splits.train) + numbers(splits.val))


def test_a_fold_is_trained_on_all_the_others_and_images_keep_their_labels() -> None:
    splits = data()
    label_of = dict(zip(numbers(splits.train), splits.train.labels.tolist(), strict=True))
    label_of |= dict(zip(numbers(splits.val), splits.val.labels.tolist(), strict=True))
    for fold in range(5):
        divided = folds.divide(splits, 5, fold)
        assert not set(numbers(divided.train)) & set(numbers(divided.val))
        for split in (divided.train, divided.val):
            assert [label_of[number] for number in numbers(split)] == split.labels.tolist()
        assert len(divided.train) + len(divided.val) == sum(COUNTS)


def test_every_fold_has_its_share_of_every_class_and_of_the_former_val_split() -> None:
    splits = data()
    former = set(numbers(splits.val))
    for fold in range(5):
        val = folds.divide(splits, 5, fold).val
        for label, count in enumerate(COUNTS):
            assert abs(int((val.labels == label).sum()) - count / 5) < 1
        assert 0 < len(former & set(numbers(val))) < len(val)


def test_the_test_split_and_the_digest_of_the_data_stay() -> None:
    splits = data()
    divided = folds.divide(splits, 5, 2)
    assert divided.test is splits.test
    assert divided.sha256 == splits.sha256


def test_folds_follow_from_the_data_alone_whatever_was_drawn_before() -> None:
    np.random.seed(1)
    first = numbers(folds.divide(data(), 5, 0).val)
    np.random.seed(2)
    assert numbers(folds.divide(data(), 5, 0).val) == first


def test_without_a_fold_the_data_set_keeps_its_own_val_split() -> None:
    splits = data()
    assert folds.divide(splits, 5, None) is splits


@pytest.mark.parametrize(
    ("counts", "advice"), [((9, 3, 7), "b has 3. Use folds=3 or fold=null."), ((9, 1, 7), "b has 1. Use fold=null.")]
)
def test_a_class_with_fewer_images_than_folds_is_refused(counts: tuple[int, ...], advice: str) -> None:
    with pytest.raises(DataError) as caught:
        folds.divide(data(counts), 4, 0)
    assert str(caught.value) == (
        "`folds` must be at most the images of every class in train and val together, so that each fold holds each "
        f"class. Received: folds=4, and {advice}"
    )


def test_a_class_without_images_does_not_stand_in_the_way() -> None:
    divided = folds.divide(data((12, 0, 12)), 4, 3)
    assert np.bincount(divided.val.labels).tolist() == [3, 0, 3]


def of_persons(persons: int = 12, images: int = 6) -> Splits:
    """Returns images that hold their own number, those of a person in several classes and in both splits."""
    rng = np.random.default_rng(0)
    groups = np.array([f"S{person:03}" for person in rng.permutation(np.repeat(np.arange(persons), images))])
    labels = np.array([(int(group[1:]) + number) % 3 for number, group in enumerate(groups)])
    pixels = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    whole, cut = Split.of_images(pixels, labels, groups=groups), len(labels) * 3 // 4
    test = Split.of_images(np.full((3, 1, 1, 1), 255, np.uint8), np.arange(3), groups=np.array(["T1", "T2", "T3"]))
    return assemble({"train": whole.take(slice(0, cut)), "val": whole.take(slice(cut, None)), "test": test}, NAMES, "x")


def test_no_person_is_in_two_folds_and_each_image_is_validated_once() -> None:
    splits = of_persons()
    validated, persons = [], []
    for fold in range(4):
        divided = folds.divide(splits, 4, fold)
        train, val = divided.train, divided.val
        assert train.groups is not None
        assert val.groups is not None
        assert not set(train.groups) & set(val.groups)
        assert set(val.labels.tolist()) == {0, 1, 2}
        validated += numbers(val)
        persons += sorted(set(val.groups))
    assert sorted(validated) == list(range(72))
    assert sorted(persons) == [f"S{person:03}" for person in range(12)]


def test_images_keep_their_person() -> None:
    splits = of_persons()
    person_of = {
        number: person
        for split in (splits.train, splits.val)
        for number, person in zip(numbers(split), np.array(split.groups), strict=True)
    }
    val = folds.divide(splits, 4, 1).val
    assert [person_of[number] for number in numbers(val)] == np.array(val.groups).tolist()


def test_fewer_persons_than_folds_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        folds.divide(of_persons(persons=3, images=12), 4, 0)
    assert str(caught.value) == (
        "`folds` must be at most the groups (persons) that show each class in train and val together, because no group "
        "is divided. Received: folds=4, and a is shown by 3 of 3. Use folds=3 or fold=null."
    )


def test_a_class_that_one_person_shows_cannot_be_in_every_fold() -> None:
    splits = of_persons()
    labels = np.where(np.array(splits.train.groups) == "S004", 2, splits.train.labels % 2)
    rest = splits.val.labels % 2
    changed = dataclasses.replace(
        splits,
        train=dataclasses.replace(splits.train, labels=labels),
        val=dataclasses.replace(splits.val, labels=rest),
    )
    with pytest.raises(DataError, match="c is shown by 1 of 12. Use fold=null"):
        folds.divide(changed, 4, 0)


def test_a_range_of_folds_is_a_sweep_over_the_fold() -> None:
    jobs = commandline.check(["-m", "fold=range(0,5)", "seed=0,1"])
    assert jobs is not None
    assert jobs.swept_keys == ["fold", "seed"]
    assert jobs.first.fold == 0


@pytest.mark.whole
def test_a_sweep_over_folds_measures_each_on_the_same_test_split(command_line: CommandLine, tmp_path: Path) -> None:
    done = command_line(
        "-m", "fold=range(0,2)", "folds=2", "dataset.train_size=70", "dataset.val_size=28", "dataset.test_size=70",
        "model.widths=[4,4]", "model.head_units=8", "epochs=1", "export=none", "tracking.system_metrics=false",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.findall(r"│ all +│ +(\d+) │ +(\d+) │ +(\d+) │", done.stdout) == [("49", "49", "70")] * 2
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("fer_exp")
    children = [run for run in client.search_runs([experiment.experiment_id]) if "fold" in run.data.params]
    children.sort(key=lambda run: run.data.params["fold"])
    assert [run.data.params["fold"] for run in children] == ["0", "1"]
    assert [run.data.tags["sweep.fold"] for run in children] == ["0", "1"]
    assert all(f"fold={fold}" in run.info.run_name for fold, run in enumerate(children))
    assert len({run.data.tags["data_sha256"] for run in children}) == 1
    assert len({run.data.tags["fingerprint"] for run in children}) == 2
    tables = [pd.read_csv(client.download_artifacts(run.info.run_id, "tables/predictions.csv")) for run in children]
    assert tables[0]["label"].tolist() == tables[1]["label"].tolist()
    for run, table in zip(children, tables, strict=True):
        assert run.data.metrics["test/accuracy"] == pytest.approx((table["label"] == table["prediction"]).mean())
