"""What every augmentation promises, checked on real batches."""

from typing import Any

import numpy as np
import tensorflow as tf
from contracts import node

from fer_exp import config


def check_contract(option: str) -> None:
    """Raises if an option breaks the contract of `fer_exp.augmentation`."""
    augment = config.build(node("augmentation", option))
    for channels in (1, 3):
        images = np.random.default_rng(0).uniform(0, 255, (10, 48, 48, channels)).astype(np.float32)
        labels = np.eye(7, dtype=np.float32)[np.arange(10) % 7]
        first = run(augment, images, labels, (0, 5))
        for new, old in zip(first, (images, labels), strict=True):
            assert (new.shape, new.dtype) == (old.shape, old.dtype)
        assert first[0].min() >= 0
        assert first[0].max() <= 255
        np.testing.assert_allclose(first[1].sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(first[0], run(augment, images, labels, (0, 5))[0])
        if option != "none":
            assert not np.array_equal(first[0], run(augment, images, labels, (0, 6))[0])
            assert not np.array_equal(first[0], run(augment, images, labels, (1, 5))[0])
        batches = (
            tf.data.Dataset.from_tensor_slices((images, labels))
            .batch(3)
            .map(
                tf.autograph.experimental.do_not_convert(
                    lambda x, y: augment(x, y, tf.constant([0, 1]), tf.constant(0.5))
                )
            )
        )
        assert [len(x) for x, _ in batches] == [3, 3, 3, 1]


def run(
    augment: Any, images: np.ndarray, labels: np.ndarray, seed: tuple[int, int], progress: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Calls an augmentation on arrays."""
    new_images, new_labels = augment(
        tf.constant(images), tf.constant(labels), tf.constant(seed, tf.int32), tf.constant(progress)
    )
    return new_images.numpy(), new_labels.numpy()
