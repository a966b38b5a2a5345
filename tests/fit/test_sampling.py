"""Epochs with the classes drawn evenly: exact numbers, every image before one comes again, nothing but the seed."""

import numpy as np
import pytest
import tensorflow as tf

from fer_exp.fit import sampling
from fer_exp.fit.sampling import Sampling, drawn, quotas

LABELS = np.array([0] * 16 + [1] * 4 + [3])  # class 2 has no images
RARE, COMMON = list(range(16, 20)), list(range(16))


def rows(how: Sampling, seed: tuple[int, int] = (0, 0), count: int = 21) -> list[int]:
    found = drawn(LABELS, count, how)(tf.constant(seed, tf.int32)).numpy()
    assert found.dtype == np.int32
    return [int(row) for row in found]


def counts(how: Sampling, count: int = 21) -> list[int]:
    return np.bincount(LABELS[rows(how, count=count)], minlength=4).tolist()


def test_every_class_gets_its_share_of_an_epoch_of_the_same_length() -> None:
    assert counts("natural") == [16, 4, 0, 1]
    assert counts("balanced") == [7, 7, 0, 7]
    assert counts("square_root") == [12, 6, 0, 3]  # 4 : 2 : 1


def test_the_images_of_a_class_are_drawn_equally_often_up_to_one() -> None:
    found = np.bincount(rows("balanced"), minlength=21)
    assert sorted(found[RARE].tolist()) == [1, 2, 2, 2]
    assert found[20] == 7
    assert set(found[COMMON].tolist()) == {0, 1}


def test_images_of_a_large_class_take_turns_from_epoch_to_epoch() -> None:
    seen = set().union(*(set(rows("balanced", (0, epoch))) for epoch in range(20)))
    assert seen == set(range(21))


def test_an_epoch_follows_from_seed_and_epoch_alone() -> None:
    assert rows("balanced", (3, 5)) == rows("balanced", (3, 5))
    assert rows("balanced", (3, 5)) != rows("balanced", (3, 6))
    assert rows("balanced", (3, 5)) != rows("balanced", (4, 5))


def test_classes_come_in_no_order() -> None:
    classes = LABELS[rows("balanced", count=300)]
    assert len(set(classes[:40].tolist())) == 3
    assert (np.diff(classes) != 0).sum() > 100


def test_every_row_of_a_natural_epoch_comes_once() -> None:
    assert sorted(rows("natural")) == list(range(21))
    assert len(set(rows("natural", count=20))) == 20


@pytest.mark.parametrize(
    ("of", "total", "power", "expected"),
    [([5, 5, 5], 10, 0.0, [4, 3, 3]), ([1, 9], 10, 1.0, [1, 9]), ([1, 9], 8, 0.5, [2, 6]), ([7], 3, 0.0, [3])],
)
def test_quotas_are_whole_and_add_up(of: list[int], total: int, power: float, expected: list[int]) -> None:
    assert quotas(of, total, power) == expected
    assert sum(sampling.quotas(of, total, power)) == total
