"""MobileNetV1 takes the images as they are and says where its weights came from."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from contracts import node

from fer_exp.data.inputs import image
from fer_exp.errors import ConfigError
from fer_exp.options import config

TINY = {"alpha": 0.25, "input_size": 32, "weights": None, "head_units": 8}


@pytest.fixture(autouse=True)
def _float32_policy() -> Iterator[None]:
    yield
    keras.mixed_precision.set_dtype_policy("float32")


def build(channels: int = 1, **changes: object) -> keras.Model:
    model: keras.Model = config.build(
        node("model", "mobilenet_v1", **{**TINY, **changes}), image((48, 48, channels)), 7
    )
    return model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return build()


def images(channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (2, 48, 48, channels)).astype(np.float32)


def test_grey_images_become_finite_float32_logits(model: keras.Model) -> None:
    logits = model(images())
    assert (logits.shape, logits.dtype) == ((2, 7), "float32")
    assert np.isfinite(logits).all()


def test_a_grey_image_is_the_colour_image_with_three_equal_channels(model: keras.Model) -> None:
    colour = build(channels=3)
    colour.set_weights(model.get_weights())
    np.testing.assert_allclose(model(images()), colour(np.repeat(images(), 3, axis=3)), rtol=1e-5, atol=1e-6)


def test_logits_are_float32_under_mixed_precision_too() -> None:
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    model = build(channels=3)
    logits = model(images(channels=3))
    assert (logits.shape, logits.dtype) == ((2, 7), "float32")
    assert np.isfinite(logits).all()
    assert model.get_layer("backbone").compute_dtype == "bfloat16"


def test_the_backbone_is_one_layer_of_that_name_at_the_input_size(model: keras.Model) -> None:
    assert model.get_layer("backbone").input_shape == (None, 32, 32, 3)
    assert model.weights_origin == "random"


def test_the_width_multiplier_and_the_head_have_the_parameters_that_arithmetic_gives(model: keras.Model) -> None:
    features = model.get_layer("backbone").output_shape[-1]
    assert features == 256  # 1024 * alpha
    head = (features + 1) * 8 + (8 + 1) * 7
    assert model.count_params() == model.get_layer("backbone").count_params() + head


def test_weights_of_a_backbone_survive_the_way_through_a_file(model: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "backbone.weights.h5"
    model.get_layer("backbone").save_weights(path)
    loaded = build(weights=str(path))
    assert loaded.weights_origin.startswith(f"{path} (sha256 ")
    pixels = np.random.default_rng(1).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(loaded.get_layer("backbone")(pixels), model.get_layer("backbone")(pixels))


def test_a_missing_file_is_found_by_the_check_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="`model.weights` must be 'auto' or 'imagenet' or an existing path"):
        build(weights="/nowhere/backbone.weights.h5")
