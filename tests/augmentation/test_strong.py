"""augmentation=strong."""

import numpy as np
import pytest
from augmentation_contract import run
from contracts import node

from fer_exp.data.inputs import image
from fer_exp.errors import ConfigError
from fer_exp.options import config

ROW = image((16, 16, 1))

OFF = {
    "rotation_degrees": 0.0,
    "shift": 0.0,
    "zoom": 0.0,
    "flip_probability": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "occlusion_probability": 0.0,
    "mixup_alpha": 0.0,
    "cutmix_alpha": 0.0,
}
LABELS = np.eye(4, dtype=np.float32)
IMAGES = np.random.default_rng(0).uniform(40, 200, (4, 16, 16, 3)).astype(np.float32)


def test_the_defaults_are_the_articles() -> None:
    values = node("augmentation", "strong")
    expected = {"rotation_degrees": 15.0, "zoom": 0.1, "brightness": 0.2, "contrast": 0.2, "saturation": 0.3}
    expected |= {"occlusion_min_area": 0.1, "occlusion_max_area": 0.2, "mixup_alpha": 0.4}
    assert {key: values[key] for key in expected} == expected


def test_strengths_of_zero_change_nothing() -> None:
    images, labels = run(config.build(node("augmentation", "strong", **OFF), ROW), IMAGES, LABELS, (0, 0))
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize("strength", list(OFF))
def test_each_strength_changes_the_images(strength: str) -> None:
    options = {**OFF, strength: 15.0 if strength == "rotation_degrees" else 0.9}
    images, labels = run(config.build(node("augmentation", "strong", **options), ROW), IMAGES, LABELS, (0, 3))
    assert not np.allclose(images, IMAGES)
    assert np.array_equal(labels, LABELS) == (strength not in ("mixup_alpha", "cutmix_alpha"))


def test_an_area_range_that_is_upside_down_is_refused() -> None:
    bad = node("augmentation", "strong", occlusion_min_area=0.5, occlusion_max_area=0.2)
    with pytest.raises(ConfigError, match=r"must be at most `occlusion_max_area`\. Received: occlusion_min_area=0.5"):
        config.build(bad, ROW)


def test_mixing_ends_when_the_training_is_nearly_done() -> None:
    augment = config.build(node("augmentation", "strong", **{**OFF, "mixup_alpha": 0.9, "mix_until": 0.9}), ROW)
    for progress, mixed in ((0.0, True), (0.89, True), (0.91, False)):
        images, labels = run(augment, IMAGES, LABELS, (0, 3), progress)
        assert np.array_equal(images, IMAGES) != mixed
        assert np.array_equal(labels, LABELS) != mixed
