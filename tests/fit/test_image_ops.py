"""Batch operations on images, against what NumPy says by hand."""

import numpy as np
import pytest
import tensorflow as tf

from fer_exp.fit import image_ops

SEED = tf.constant([1, 2], tf.int32)


def random_images(count: int = 4, height: int = 12, width: int = 12, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, height, width, channels)).astype(np.float32)


def warp(images: np.ndarray, **parameters: float) -> np.ndarray:
    values = {"rotation_degrees": 0.0, "zoom": 1.0, "shift_x": 0.0, "shift_y": 0.0, **parameters}
    flip = tf.fill([len(images)], bool(values.pop("flip", False)))
    tensors = {name: tf.fill([len(images)], float(value)) for name, value in values.items()}
    transforms = image_ops.affine_transforms(*images.shape[1:3], **tensors, flip=flip)
    return image_ops.warp(tf.constant(images), transforms, "constant").numpy()


def test_identity_leaves_the_image_alone() -> None:
    images = random_images()
    np.testing.assert_allclose(warp(images), images, atol=1e-3)


def test_a_flip_mirrors_left_and_right() -> None:
    images = random_images(height=8)
    np.testing.assert_allclose(warp(images, flip=True), images[:, :, ::-1], atol=1e-3)


@pytest.mark.parametrize(("degrees", "turns"), [(90.0, 1), (180.0, 2), (-90.0, -1)])
def test_a_rotation_turns_counter_clockwise(degrees: float, turns: int) -> None:
    images = random_images()
    turned = warp(images, rotation_degrees=degrees)
    inside = (slice(None), slice(1, -1), slice(1, -1))  # the border suffers from rounding to outside
    np.testing.assert_allclose(turned[inside], np.rot90(images, turns, axes=(1, 2))[inside], atol=0.05)


def test_a_shift_moves_right_and_down() -> None:
    images = random_images()
    moved = warp(images, shift_x=2.0, shift_y=3.0)
    np.testing.assert_allclose(moved[:, 3:, 2:], images[:, :-3, :-2], atol=1e-3)
    assert not moved[:, :3].any()


def test_a_zoom_of_two_shows_the_centre_at_twice_the_size() -> None:
    row = np.arange(9, dtype=np.float32)
    images = np.broadcast_to(row[None, None, :, None], (1, 9, 9, 1)).copy()
    np.testing.assert_allclose(warp(images, zoom=2.0)[0, 4, :, 0], 4 + (row - 4) / 2, atol=1e-4)


def affine(images: np.ndarray, **strengths: float) -> np.ndarray:
    values = {"rotation_degrees": 0.0, "shift": 0.0, "zoom": 0.0, "flip_probability": 0.0, **strengths}
    return image_ops.random_affine(tf.constant(images), SEED, **values, fill_mode="nearest").numpy()


def test_a_sure_flip_flips_every_image() -> None:
    images = random_images()
    np.testing.assert_allclose(affine(images, flip_probability=1.0), images[:, :, ::-1], atol=1e-3)


def test_about_half_of_the_images_are_flipped() -> None:
    images = random_images(count=400, height=4, width=4)
    flipped = np.isclose(affine(images, flip_probability=0.5), images[:, :, ::-1], atol=1e-3).all(axis=(1, 2, 3))
    assert 150 < flipped.sum() < 250


def test_brightness_adds_one_value_within_its_bounds() -> None:
    images = np.full((200, 4, 4, 1), 128.0, np.float32)
    changed = image_ops.random_brightness_contrast(tf.constant(images), SEED, brightness=0.2, contrast=0.0).numpy()
    offsets = changed[:, 0, 0, 0] - 128
    np.testing.assert_allclose(changed, 128 + np.broadcast_to(offsets[:, None, None, None], images.shape), atol=1e-3)
    assert 45 < np.abs(offsets).max() <= 51.001
    assert offsets.min() < 0 < offsets.max()


def test_contrast_stretches_about_the_mean() -> None:
    images = np.tile(np.array([100.0, 150.0], np.float32), (200, 4, 2))[..., None]
    changed = image_ops.random_brightness_contrast(tf.constant(images), SEED, brightness=0.0, contrast=0.2).numpy()
    np.testing.assert_allclose(changed.mean(axis=(1, 2, 3)), 125, atol=1e-2)
    factors = (changed[:, 0, 1, 0] - changed[:, 0, 0, 0]) / 50
    assert 0.799 < factors.min() < 0.85
    assert 1.15 < factors.max() < 1.201


def test_saturation_leaves_grey_alone_and_blends_colour_with_its_luma() -> None:
    grey = tf.constant(random_images())
    assert image_ops.random_saturation(grey, SEED, saturation=0.3) is grey
    images = np.full((50, 2, 2, 3), (100.0, 120.0, 140.0), np.float32)
    changed = image_ops.random_saturation(tf.constant(images), SEED, saturation=0.3).numpy()
    luma = 0.299 * 100 + 0.587 * 120 + 0.114 * 140
    factors = (changed[..., 0] - luma) / (100 - luma)
    np.testing.assert_allclose(changed[..., 2], luma + factors * (140 - luma), rtol=1e-3)
    assert factors.min() >= 0.699
    assert factors.max() <= 1.301
    assert factors.std() > 0.05


@pytest.mark.parametrize("fill", ["mean", "noise", "black"])
def test_an_occlusion_covers_a_rectangle_of_the_asked_area(fill: str) -> None:
    images = random_images(count=64, height=48, width=48)
    changed = image_ops.random_occlusion(
        tf.constant(images), SEED, probability=1.0, min_area=0.1, max_area=0.2, fill=fill
    ).numpy()
    for before, after in zip(images, changed, strict=True):
        rows, columns = np.nonzero((before != after)[..., 0])
        box = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
        assert box == len(rows)  # a filled rectangle, nothing else
        assert 0.1 - 1 / 48 <= box / 48**2 <= 0.2
        if fill == "mean":
            np.testing.assert_allclose(after[rows, columns, 0], before.mean(), rtol=1e-4)
    assert fill != "black" or (changed == 0).any()


def test_an_occlusion_hits_the_asked_share_of_the_images() -> None:
    images = random_images(count=400, height=8, width=8)
    changed = image_ops.random_occlusion(
        tf.constant(images), SEED, probability=0.25, min_area=0.1, max_area=0.2, fill="black"
    ).numpy()
    assert 60 < (changed != images).any(axis=(1, 2, 3)).sum() < 140
