"""A data set cut down keeps its classes, and its sources, as far as the number allows."""

import numpy as np
from contracts import compose

from fer_exp.data import limits
from fer_exp.dataset import Split, Splits
from fer_exp.options import config

NAMES = ("angry", "happy", "sad")


def made(labels: list[int], sources: list[int] | None = None) -> Splits:
    """Every split has the same images, whose grey level is their row."""
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    split = Split.of_images(images, np.array(labels), sources=None if sources is None else np.array(sources))
    return Splits(split, split, split, NAMES, "digest", "here")


def rows(splits: Splits, images: int) -> list[int]:
    experiment = config.check(compose("limit_batches=1", f"batch_size={images}"))
    limited = limits.limit(splits, experiment)
    assert limited.test.images.tolist() == limited.train.images.tolist()
    return limited.train.images.ravel().tolist()


def test_the_first_images_of_every_class_are_taken_in_turn() -> None:
    assert rows(made([0, 0, 0, 1, 2, 1]), 3) == [0, 3, 4]
    assert rows(made([0, 0, 0, 1, 2, 1]), 5) == [0, 1, 3, 4, 5]
    assert rows(made([0, 1]), 8) == [0, 1]


def test_every_source_gives_its_share_with_each_of_its_classes() -> None:
    labels, sources = [0, 0, 1, 1, 2, 2, 1, 1, 2, 2], [0] * 6 + [1] * 4
    assert rows(made(labels, sources), 2) == [0, 6]
    assert rows(made(labels, sources), 4) == [0, 2, 6, 8]
    assert rows(made(labels, sources), 9) == [0, 1, 2, 3, 4, 6, 7, 8, 9]  # the smaller one gives all it has


def test_without_a_limit_everything_stays() -> None:
    splits = made([0, 1, 2])
    assert limits.limit(splits, config.check(compose())) is splits
