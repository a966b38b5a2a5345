"""Mixing of images and labels, against what NumPy says by hand."""

import numpy as np
import pytest
import tensorflow as tf

from fer_exp.data.inputs import Spec, image
from fer_exp.fit import mixing

SEED = tf.constant([1, 2], tf.int32)


def mixup(images: tf.Tensor, *given: tf.Tensor, alpha: float) -> tuple[tf.Tensor, tf.Tensor]:
    batch, labels = mixing.mixup({"image": images}, *given, image((1, 1, 1)), alpha=alpha)
    return batch["image"], labels


def cutmix(images: tf.Tensor, *given: tf.Tensor, alpha: float) -> tuple[tf.Tensor, tf.Tensor]:
    batch, labels = mixing.cutmix({"image": images}, *given, image((1, 1, 1)), alpha=alpha)
    return batch["image"], labels


def mix(images: tf.Tensor, *given: tf.Tensor, **alphas: float) -> tuple[tf.Tensor, tf.Tensor]:
    batch, labels = mixing.mix({"image": images}, *given, image((1, 1, 1)), **alphas)
    return batch["image"], labels


def random_images(count: int = 4, height: int = 12, width: int = 12, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, height, width, channels)).astype(np.float32)


def test_mixup_mixes_images_and_labels_by_the_same_share() -> None:
    images, labels = random_images(count=16), np.eye(16, dtype=np.float32)
    mixed, soft = (t.numpy() for t in mixup(tf.constant(images), tf.constant(labels), SEED, alpha=0.4))
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
    _, soft = mixup(tf.constant(images), tf.constant(labels), SEED, alpha=0.4)
    shares = soft.numpy()[np.arange(4000), np.arange(4000) % 2]
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(0.25 / 1.8, abs=0.01)  # ab / ((a + b)^2 (a + b + 1))


def test_mixup_leaves_a_batch_of_one_alone() -> None:
    images, labels = tf.constant(random_images(1)), tf.constant([[0.0, 1.0]])
    mixed, soft = mixup(images, labels, SEED, alpha=0.4)
    np.testing.assert_allclose(mixed, images, atol=1e-3)
    np.testing.assert_allclose(soft, labels, atol=1e-6)


def test_cutmix_takes_one_rectangle_from_the_row_before_and_mixes_the_labels_by_its_area() -> None:
    labels = np.eye(64, dtype=np.float32)
    images = np.broadcast_to(np.arange(64, dtype=np.float32)[:, None, None, None], (64, 20, 30, 1)).copy()
    cut, soft = (t.numpy() for t in cutmix(tf.constant(images), tf.constant(labels), SEED, alpha=1.0))
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
        mixed, _ = mix(
            tf.constant(images), tf.constant(labels), tf.constant([0, seed]), mixup_alpha=alphas[0],
            cutmix_alpha=alphas[1],
        )  # fmt: skip
        pixels = mixed.numpy()
        from_one = (np.isclose(pixels, images) | np.isclose(pixels, np.roll(images, 1, 0))).mean()
        found.add("cutmix" if from_one == 1 else "mixup")
    assert len(found) == kinds


CLIPS = np.random.default_rng(1).uniform(0, 255, (16, 3, 20, 30, 1)).astype(np.float32)
SOUNDS = np.random.default_rng(2).uniform(-1, 1, (16, 600)).astype(np.float32)
SPECS = {"face": Spec("face", "clip", (3, 20, 30, 1)), "voice": Spec("voice", "sound", (600,))}


def test_mixup_mixes_a_clip_a_sound_and_the_label_of_a_row_by_one_share() -> None:
    given = {"face": tf.constant(CLIPS), "voice": tf.constant(SOUNDS)}
    batch, soft = mixing.mixup(given, tf.eye(16), SEED, SPECS, alpha=0.4)
    shares = np.diagonal(soft.numpy())
    assert len(set(shares.tolist())) > 8
    for name, values in (("face", CLIPS), ("voice", SOUNDS)):
        of_each = shares.reshape(-1, *[1] * (values.ndim - 1))
        expected = of_each * values + (1 - of_each) * np.roll(values, 1, axis=0)
        np.testing.assert_allclose(batch[name], expected, rtol=1e-4, atol=1e-4)
    assert batch["voice"].numpy().min() < -0.5  # what is below 0 is not cut off


def numbered(count: int, *shape: int) -> tf.Tensor:
    """Rows that hold their number, as a share of all."""
    values = np.arange(count, dtype=np.float32).reshape(-1, *[1] * len(shape)) / count
    return tf.constant(np.broadcast_to(values, (count, *shape)))


def test_cutmix_cuts_the_same_rectangle_out_of_all_frames_and_a_stretch_of_one_size_and_place_out_of_the_sound() -> (
    None
):
    given = {"face": numbered(64, 3, 20, 30, 1), "voice": numbered(64, 600)}
    batch, soft = mixing.cutmix(given, tf.eye(64), SEED, SPECS, alpha=1.0)
    of_clips, of_sounds = (np.roll(given[name], 1, axis=0) == batch[name].numpy() for name in ("face", "voice"))
    inside = 0
    for row in range(64):
        taken, stretch = of_clips[row, 0, :, :, 0], np.flatnonzero(of_sounds[row])
        assert (of_clips[row] == taken[:, :, None]).all()
        np.testing.assert_allclose(soft[row, (row - 1) % 64], taken.mean(), atol=1e-6)
        np.testing.assert_allclose(soft[row, row], 1 - taken.mean(), atol=1e-6)
        if len(stretch):
            assert np.array_equal(stretch, np.arange(stretch[0], stretch[-1] + 1))
        edges = np.concatenate([taken[0], taken[-1], taken[:, 0], taken[:, -1], of_sounds[row, [0, -1]]])
        if taken.any() and not edges.any():  # neither is cut off at a border
            inside += 1
            assert len(stretch) / 600 == pytest.approx(taken.mean(), abs=0.05)
            assert stretch.mean() / 600 == pytest.approx(np.nonzero(taken)[1].mean() / 30, abs=0.04)
    assert inside > 4


def test_the_labels_of_sounds_alone_follow_the_length_of_the_stretch() -> None:
    batch, soft = mixing.cutmix({"voice": numbered(64, 600)}, tf.eye(64), SEED, SPECS, alpha=1.0)
    taken = (np.roll(numbered(64, 600), 1, axis=0) == batch["voice"].numpy()).mean(axis=1)
    np.testing.assert_allclose(np.diagonal(np.roll(soft, 1, axis=1)), taken, atol=1e-6)
    np.testing.assert_allclose(np.diagonal(soft), 1 - taken, atol=1e-6)
    assert 0.2 < taken.mean() < 0.5
