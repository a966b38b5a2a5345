"""Fractions by persons: whole groups are drawn, the shares of the classes as near as these allow, always the same."""

import numpy as np
import pytest

from fer_exp.data.fractions import draw_fractions, stratified_rows
from fer_exp.errors import DataError

SEVEN = tuple("abcdefg")


def many_persons(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and persons as in CK+: 118 persons, each with some of seven classes, three frames each."""
    rng = np.random.default_rng(seed)
    shown = [
        (label, person) for label, n in enumerate((45, 18, 59, 25, 69, 28, 83)) for person in rng.choice(118, n, False)
    ]
    rows = np.repeat(np.array(shown), 3, axis=0)
    return rows[:, 0], np.array([f"S{person:03}" for person in rows[:, 1]])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_person_is_in_two_splits_and_every_class_has_about_its_share(seed: int) -> None:
    labels, persons = many_persons()
    rows = draw_fractions(labels, np.arange(len(labels)), 0.15, 0.2, seed, SEVEN, "here", persons)
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(len(labels)))
    sets = [set(persons[rows[name]]) for name in ("train", "val", "test")]
    assert not sets[0] & sets[1] | sets[0] & sets[2] | sets[1] & sets[2]
    for name, fraction in (("val", 0.15), ("test", 0.2)):
        shares = np.bincount(labels[rows[name]], minlength=7) / np.bincount(labels)
        assert np.abs(shares - fraction).max() < 0.05


def test_the_same_seed_draws_the_same_persons_and_another_seed_others() -> None:
    labels, persons = many_persons()
    first, again, other = (stratified_rows(labels, 0.2, seed, persons)[1].tolist() for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_only_rows_of_train_are_drawn() -> None:
    labels, persons = many_persons()
    train = np.flatnonzero(persons < "S060")
    rows = draw_fractions(labels, train, 0.25, "test", 0, SEVEN, "here", persons)
    assert sorted(np.concatenate([rows["train"], rows["val"]]).tolist()) == train.tolist()


@pytest.mark.parametrize("fraction", [0.1, 0.9])
def test_of_two_persons_each_split_gets_one(fraction: float) -> None:
    labels, persons = np.array([0, 0, 1, 1]), np.array(["a", "b", "a", "b"])
    kept, drawn = stratified_rows(labels, fraction, 0, persons)
    assert {tuple(persons[kept]), tuple(persons[drawn])} == {("a", "a"), ("b", "b")}


def test_one_person_cannot_be_divided() -> None:
    with pytest.raises(DataError, match=r"by groups \(persons\), of which none is divided: all 3 rows are of one, a\."):
        stratified_rows(np.array([0, 1, 1]), 0.3, 0, np.array(["a", "a", "a"]))


RULE = "must draw an image of each class from the training images, and leave one of each."


@pytest.mark.parametrize(
    ("val", "test", "message"),
    [
        (
            0.05, "test",
            f"`dataset.val` {RULE} Received: dataset.val=0.05, which draws 2 and leaves 30 of 32 images in 4 classes "
            "in here. Give a fraction from 0.125 to 0.875, or name a split that the source has.",
        ),
        (
            0.9, "test",
            f"`dataset.val` {RULE} Received: dataset.val=0.9, which draws 29 and leaves 3 of 32 images in 4 classes "
            "in here. Give a fraction from 0.125 to 0.875, or name a split that the source has.",
        ),
        (
            0.5, 0.05,
            f"`dataset.test` {RULE} Received: dataset.test=0.05, which draws 2 and leaves 14 of 16 images in 4 classes "
            "in here. Give a fraction from 0.125 to 0.375, or name a split that the source has.",
        ),
    ],
)  # fmt: skip
def test_a_fraction_without_an_image_of_each_class_is_refused_with_those_that_do(
    val: float, test: float | str, message: str
) -> None:
    labels = np.arange(32) % 4
    with pytest.raises(DataError) as caught:
        draw_fractions(labels, np.arange(32), val, test, 0, SEVEN, "here")
    assert str(caught.value) == message


@pytest.mark.parametrize("spec", [0.125, 0.875])
def test_the_fractions_that_the_message_names_do(spec: float) -> None:
    rows = draw_fractions(np.arange(32) % 4, np.arange(32), spec, "test", 0, SEVEN, "here")
    assert {len(rows["val"]), len(rows["train"])} == {4, 28}


def test_a_class_with_a_single_image_and_too_few_images_are_refused() -> None:
    with pytest.raises(DataError, match=r"Received: dataset.val=0.5, and b has a single training image in here\. Add"):
        draw_fractions(np.array([0, 0, 1]), np.arange(3), 0.5, "test", 0, SEVEN, "here")
    labels = np.arange(4) % 2
    with pytest.raises(DataError, match=r"draws 1 and leaves 1 of 2 images in 1 classes|draws 3 and leaves 1 of 4"):
        draw_fractions(labels, np.arange(4), 0.7, "test", 0, SEVEN, "here")
