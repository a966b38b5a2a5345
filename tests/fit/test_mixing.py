"""Mixing of images and labels, against what NumPy says by hand."""

import numpy as np
import pytest
import tensorflow as tf

from fer_exp.fit import mixing

SEED = tf.constant([1, 2], tf.int32)


def random_images(count: int = 4, height: int = 12, width: int = 12, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, height, width, channels)).astype(np.float32)


def test_mixup_mixes_images_and_labels_by_the_same_share() -> None:
    images, labels = random_images(count=16), np.eye(16, dtype=np.float32)
    mixed, soft = (t.numpy() for t in mixing.mixup(tf.constant(images), tf.constant(labels), SEED, alpha=0.4))
    shares = soft[np.arange(16), np.arange(16)]
    previous = np.roll(images, 1, axis=0)
    expected = shares[:, None, None, None] * images + (1 - shares)[:, None, None, None] * previous
    np.testing.assert_allclose(mixed, expected, atol=1e-2)
    np.testing.assert_allclose(
        soft, shares[:, None] * labels + (1 - shares)[:, None] * np.roll(labels, 1, 0), atol=1e-6
    )


def test_the_shares_of_mixup_follow_the_beta_distribution() -> None:
    labels = np.eye(2, dtype=np.float32)[np.arange(4000) % 2]
    images = np.zeros((4000, 1, 1, 1), np.float32)
    _, soft = mixing.mixup(tf.constant(images), tf.constant(labels), SEED, alpha=0.4)
    shares = soft.numpy()[np.arange(4000), np.arange(4000) % 2]
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(0.25 / 1.8, abs=0.01)  # ab / ((a + b)^2 (a + b + 1))


def test_mixup_leaves_a_batch_of_one_alone() -> None:
    images, labels = tf.constant(random_images(1)), tf.constant([[0.0, 1.0]])
    mixed, soft = mixing.mixup(images, labels, SEED, alpha=0.4)
    np.testing.assert_allclose(mixed, images, atol=1e-3)
    np.testing.assert_allclose(soft, labels, atol=1e-6)


def test_cutmix_takes_one_rectangle_from_the_row_before_and_mixes_the_labels_by_its_area() -> None:
    labels = np.eye(64, dtype=np.float32)
    images = np.broadcast_to(np.arange(64, dtype=np.float32)[:, None, None, None], (64, 20, 30, 1)).copy()
    cut, soft = (t.numpy() for t in mixing.cutmix(tf.constant(images), tf.constant(labels), SEED, alpha=1.0))
    for row in range(64):
        taken = cut[row, :, :, 0] == (row - 1) % 64
        assert (taken | (cut[row, :, :, 0] == row)).all()
        rectangle = np.outer(taken.any(axis=1), taken.any(axis=0))
        np.testing.assert_array_equal(taken, rectangle)
        assert soft[row, row] == pytest.approx(1 - taken.mean(), abs=1e-6)
        assert soft[row, (row - 1) % 64] == pytest.approx(taken.mean(), abs=1e-6)
    assert 0.2 < 1 - soft[np.arange(64), np.arange(64)].mean() < 0.5  # half, less what the border cuts off


@pytest.mark.parametrize(("alphas", "kinds"), [((0.4, 0.0), 1), ((0.0, 1.0), 1), ((0.4, 1.0), 2)])
def test_each_batch_draws_one_of_the_kinds_that_are_on(alphas: tuple[float, float], kinds: int) -> None:
    images, labels = random_images(8), np.eye(8, dtype=np.float32)
    found = set()
    for seed in range(12):
        mixed, _ = mixing.mix(
            tf.constant(images), tf.constant(labels), tf.constant([0, seed]), mixup_alpha=alphas[0],
            cutmix_alpha=alphas[1],
        )  # fmt: skip
        pixels = mixed.numpy()
        from_one = (np.isclose(pixels, images) | np.isclose(pixels, np.roll(images, 1, 0))).mean()
        found.add("cutmix" if from_one == 1 else "mixup")
    assert len(found) == kinds
