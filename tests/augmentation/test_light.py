"""augmentation=light."""

import numpy as np
from augmentation_contract import run
from contracts import node

from fer_exp.data.inputs import image
from fer_exp.options import config

ROW = image((16, 16, 1))

LABELS = np.eye(4, dtype=np.float32)
IMAGES = np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 1)).astype(np.float32)


def test_the_defaults_are_the_articles() -> None:
    values = node("augmentation", "light")
    assert (values["rotation_degrees"], values["shift"], values["zoom"]) == (15.0, 0.1, 0.1)


def test_it_leaves_labels_alone() -> None:
    _, labels = run(config.build(node("augmentation", "light"), ROW), IMAGES, LABELS, (0, 0))
    np.testing.assert_array_equal(labels, LABELS)


def test_strengths_of_zero_change_nothing() -> None:
    off = node("augmentation", "light", rotation_degrees=0.0, shift=0.0, zoom=0.0, flip_probability=0.0)
    images, _ = run(config.build(off, ROW), IMAGES, LABELS, (0, 0))
    np.testing.assert_array_equal(images, IMAGES)


def test_each_strength_changes_something() -> None:
    off = {"rotation_degrees": 0.0, "shift": 0.0, "zoom": 0.0, "flip_probability": 0.0}
    for strength in off:
        options = {**off, strength: 1.0 if strength == "flip_probability" else 0.5}
        images, _ = run(config.build(node("augmentation", "light", **options), ROW), IMAGES, LABELS, (0, 0))
        assert not np.allclose(images, IMAGES), strength
