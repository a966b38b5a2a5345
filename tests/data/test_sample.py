"""Each class gives its share of the images that ranges are taken from."""

import numpy as np

from fer_exp.data import sample
from fer_exp.dataset import Split

# Sorted by class, as many data sets are: 60, 30 and 10 images, each holding its row's number.
LABELS = np.repeat([0, 1, 2], [60, 30, 10])
SPLIT = Split.of_images(np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1), LABELS)


def drawn(count: int, seed: int) -> np.ndarray:
    return sample.inputs(SPLIT, count, seed)["image"].ravel()


def test_every_class_gives_its_share() -> None:
    rows = drawn(20, seed=0)
    assert len(set(rows)) == 20
    assert np.bincount(LABELS[rows]).tolist() == [12, 6, 2]


def test_the_same_seed_draws_the_same_images_and_another_seed_others() -> None:
    assert drawn(20, seed=1).tolist() == drawn(20, seed=1).tolist()
    assert drawn(20, seed=1).tolist() != drawn(20, seed=2).tolist()


def test_where_there_are_fewer_all_are_taken() -> None:
    assert drawn(500, seed=0).tolist() == list(range(100))


def test_one_image_comes_from_the_largest_class_and_none_is_drawn_twice() -> None:
    assert LABELS[drawn(1, seed=0)].tolist() == [0]
    assert np.bincount(LABELS[drawn(99, seed=0)]).tolist() in ([59, 30, 10], [60, 29, 10], [60, 30, 9])
