"""dataset=synthetic: seeded, balanced, learnable but not trivial."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts import compose, node

from fer_exp.data import drawing, folds, loading
from fer_exp.data.emotions import EMOTIONS
from fer_exp.data.inputs import Spec
from fer_exp.dataset import Splits
from fer_exp.options import config


def draw(**changes: Any) -> Splits:
    options = {"train_size": 70, "val_size": 35, "test_size": 21, **changes}
    splits: Splits = config.build(node("dataset", "synthetic", **options))
    return splits


def test_images_are_grey_bytes_and_labels_follow_the_emotions() -> None:
    splits = draw()
    assert splits.train.images.shape == (70, 48, 48, 1)
    assert splits.train.images.dtype == np.uint8
    assert splits.class_names == EMOTIONS
    assert (len(splits.train), len(splits.val), len(splits.test)) == (70, 35, 21)


def test_classes_are_balanced_up_to_one_image_and_shuffled() -> None:
    labels = draw(train_size=72).train.labels
    counts = np.bincount(labels)
    assert counts.max() - counts.min() <= 1
    assert (np.diff(labels) < 0).sum() > 10


def test_the_same_seed_draws_the_same_faces_and_another_seed_others() -> None:
    assert draw().sha256 == draw().sha256
    assert draw().sha256 != draw(seed=1).sha256


def test_a_split_does_not_depend_on_the_size_of_the_others() -> None:
    np.testing.assert_array_equal(draw().test.images, draw(train_size=140).test.images)


def test_the_splits_share_no_image() -> None:
    splits = draw()
    images = [image.tobytes() for split in (splits.train, splits.val, splits.test) for image in split.images]
    assert len(set(images)) == len(images)


def test_difficulty_and_size_change_the_images() -> None:
    assert not np.array_equal(draw(difficulty=0.0).train.images, draw(difficulty=1.0).train.images)
    assert draw(image_size=32).train.images.shape == (70, 32, 32, 1)


@pytest.mark.parametrize(("difficulty", "low", "high"), [(0.0, 0.5, 1.0), (0.5, 0.2, 0.8)])
def test_a_linear_model_learns_something_but_not_everything(difficulty: float, low: float, high: float) -> None:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    splits = draw(train_size=1050, test_size=280, difficulty=difficulty)
    features = {name: getattr(splits, name).images.reshape(-1, 48 * 48) / 255 for name in ("train", "test")}
    model = make_pipeline(PCA(60, random_state=0), LogisticRegression(max_iter=500))
    accuracy = model.fit(features["train"], splits.train.labels).score(features["test"], splits.test.labels)
    assert low < accuracy < high  # chance is 0.14


def test_what_was_drawn_once_is_read_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = draw(cache_dir=str(tmp_path))
    assert len(list(tmp_path.glob("synthetic-*.npz"))) == 3
    monkeypatch.setattr(drawing, "draw", lambda *_: pytest.fail("it was drawn again"))
    assert draw(cache_dir=str(tmp_path)).sha256 == first.sha256
    monkeypatch.undo()
    assert draw(cache_dir=str(tmp_path), seed=1).sha256 != first.sha256


def test_a_trial_of_a_few_batches_draws_no_more_than_it_looks_at() -> None:
    values = compose("limit_batches=3", "batch_size=32", "dataset.test_size=50")
    node = config.fewer(values["dataset"], 96)
    assert (node["train_size"], node["val_size"], node["test_size"]) == (96, 96, 50)
    splits = loading.load(config.check(values))
    assert (len(splits.train), len(splits.val), len(splits.test)) == (96, 96, 50)
    other = compose("dataset=fer2013", "dataset.path=/")["dataset"]
    assert config.fewer(other, 10) == other, "what is read from files is cut down afterwards"


def clips(**changes: Any) -> Splits:
    few = {"train_size": 26, "val_size": 13, "test_size": 13, "image_size": 32, "frames": 5}
    return draw(kind="clip", **{**few, **changes})


def test_clips_are_named_and_a_person_is_in_one_split_alone() -> None:
    splits = clips()
    assert splits.train.inputs["clip"].shape == (26, 5, 32, 32, 1)
    assert splits.specs == {"clip": Spec("clip", "clip", (5, 32, 32, 1), 10.0)}
    assert splits.class_names == EMOTIONS
    persons = [set(split.groups.tolist()) for split in (splits.train, splits.val, splits.test)]
    assert len(persons[0]) == 4
    assert not set.intersection(*persons[:2]) | set.intersection(*persons[1:])


def test_the_faces_of_a_clip_move_and_those_of_a_neutral_one_hardly() -> None:
    splits = clips(difficulty=0.0, motion="half", frames=6)
    first, last = (splits.train.inputs["clip"][:, place].astype(float) for place in (0, -1))
    change = np.abs(last - first).mean(axis=(1, 2, 3))
    neutral = splits.train.labels == splits.class_names.index("neutral")
    assert change[~neutral].mean() > 1.1 * change[neutral].mean()


def test_half_motions_are_two_classes_of_each_expression() -> None:
    splits = clips(motion="half")
    assert len(splits.class_names) == 13
    assert {"happy comes", "happy goes", "neutral"} <= set(splits.class_names)
    assert splits.sha256 == clips(motion="half").sha256
    assert splits.sha256 != clips(motion="half", seed=1).sha256


def test_folds_of_clips_divide_no_person() -> None:
    splits = folds.divide(clips(train_size=140, val_size=70, image_size=24, frames=2), 2, 0)
    assert not set(splits.train.groups.tolist()) & set(splits.val.groups.tolist())
    assert splits.train.specs == splits.val.specs
