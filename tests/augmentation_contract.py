"""What every augmentation promises, checked on real batches of every kind of input."""

from typing import Any

import numpy as np
import tensorflow as tf
from contracts import node

from fer_exp.data.inputs import Spec
from fer_exp.options import config

COUNT = 10
INPUTS = (
    {"image": Spec("image", "image", (48, 48, 1))},
    {"image": Spec("image", "image", (48, 48, 3))},
    {"clip": Spec("clip", "clip", (5, 24, 24, 3))},
    {"voice": Spec("voice", "sound", (400,))},
    {"face": Spec("face", "clip", (4, 24, 24, 1)), "voice": Spec("voice", "sound", (400,))},
)


def check_contract(option: str) -> None:
    """Raises if an option breaks the contract of `fer_exp.augmentation`."""
    for specs in INPUTS:
        augment = config.build(node("augmentation", option), specs)
        batch, labels = batch_of(specs), np.eye(7, dtype=np.float32)[np.arange(COUNT) % 7]
        first, soft = run_all(augment, batch, labels, (0, 5))
        assert list(first) == list(batch)
        for name, values in batch.items():
            assert (first[name].shape, first[name].dtype) == (values.shape, values.dtype)
            low, high = specs[name].about.limits
            assert low <= first[name].min() <= first[name].max() <= high
        np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-5)
        assert_equal(first, run_all(augment, batch, labels, (0, 5))[0])
        if option == "strong" or (option != "none" and "voice" not in specs):
            assert not equal(first, run_all(augment, batch, labels, (0, 6))[0])
            assert not equal(first, run_all(augment, batch, labels, (1, 5))[0])
        batches = (
            tf.data.Dataset.from_tensor_slices((batch, labels))
            .batch(3)
            .map(
                tf.autograph.experimental.do_not_convert(
                    lambda x, y, augment=augment: augment(x, y, tf.constant([0, 1]), tf.constant(0.5))
                )
            )
        )
        assert [len(y) for _, y in batches] == [3, 3, 3, 1]


def batch_of(specs: dict[str, Spec]) -> dict[str, np.ndarray]:
    """Returns random rows, as they come to an augmentation."""
    random = np.random.default_rng(0)
    return {
        name: random.uniform(*spec.about.limits, (COUNT, *spec.shape)).astype(np.float32)
        for name, spec in specs.items()
    }


def equal(these: dict[str, np.ndarray], those: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(these[name], those[name]) for name in these)


def assert_equal(these: dict[str, np.ndarray], those: dict[str, np.ndarray]) -> None:
    for name in these:
        np.testing.assert_array_equal(these[name], those[name])


def run_all(
    augment: Any, batch: dict[str, np.ndarray], labels: np.ndarray, seed: tuple[int, int], progress: float = 0.0
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Calls an augmentation on arrays."""
    given = {name: tf.constant(values) for name, values in batch.items()}
    changed, soft = augment(given, tf.constant(labels), tf.constant(seed, tf.int32), tf.constant(progress))
    return {name: values.numpy() for name, values in changed.items()}, soft.numpy()


def run(
    augment: Any, images: np.ndarray, labels: np.ndarray, seed: tuple[int, int], progress: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Calls an augmentation of images on arrays."""
    changed, soft = run_all(augment, {"image": images}, labels, seed, progress)
    return changed["image"], soft
