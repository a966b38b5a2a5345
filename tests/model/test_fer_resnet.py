"""The residual network keeps its budget, crops the centre, and starts as a chain of shortcuts."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from contracts import node

from fer_exp.data.inputs import image
from fer_exp.errors import ConfigError
from fer_exp.network.cost import multiply_adds
from fer_exp.options import config

SMALL: dict[str, Any] = {"stem_width": 4, "widths": [4, 8], "depths": [1, 2]}


@pytest.fixture(autouse=True)
def _float32_policy() -> Iterator[None]:
    yield
    keras.mixed_precision.set_dtype_policy("float32")


def build(input_shape: tuple[int, int, int] = (48, 48, 1), **changes: Any) -> keras.Model:
    model: keras.Model = config.build(node("model", "fer_resnet", **changes), image(input_shape), 7)
    return model


def test_the_default_has_at_most_two_million_parameters_and_sixty_million_multiply_adds() -> None:
    model = build()
    assert 1_500_000 < model.count_params() <= 2_000_000
    assert 50e6 < multiply_adds(model).total <= 60e6


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("shape", [(48, 48, 1), (48, 48, 3), (96, 80, 3)])
def test_images_of_any_size_and_colour_become_finite_float32_logits(shape: tuple[int, int, int], policy: str) -> None:
    keras.mixed_precision.set_dtype_policy(policy)
    images = np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype(np.float32)
    logits = build(shape, **SMALL)(images)
    assert (logits.shape, logits.dtype) == ((2, 7), "float32")
    assert np.isfinite(logits).all()


def test_only_the_centre_crop_is_looked_at() -> None:
    model = build(**SMALL, crop=44)
    image = np.random.default_rng(0).uniform(0, 255, (1, 48, 48, 1)).astype(np.float32)
    frame, centre = image.copy(), image.copy()
    frame[:, :2] = frame[:, -2:] = frame[:, :, :2] = frame[:, :, -2:] = 0
    centre[:, 2] = 0
    np.testing.assert_array_equal(model(frame), model(image))
    assert not np.array_equal(model(centre), model(image))
    assert not np.array_equal(build(**SMALL, crop=None)(frame), build(**SMALL, crop=None)(image))


def test_each_stage_but_the_first_halves_the_sides_and_has_its_depth() -> None:
    model = build(**SMALL, crop=None)
    sums = [layer.output.shape[1:] for layer in model.layers if isinstance(layer, keras.layers.Add)]
    assert sums == [(24, 24, 4), (12, 12, 8), (12, 12, 8)]


def test_a_block_begins_as_its_shortcut() -> None:
    model = build(**SMALL)
    scales = [float(np.abs(layer.gamma).sum()) for layer in model.layers if hasattr(layer, "gamma")]
    assert scales.count(0.0) == 3  # the last normalisation of each of the three blocks


def test_the_momentum_of_the_statistics_is_the_option() -> None:
    model = build(**SMALL, batch_norm_momentum=0.75)
    assert {layer.momentum for layer in model.layers if hasattr(layer, "momentum")} == {0.75}


def test_the_penalty_is_the_sum_of_squares_of_all_kernels() -> None:
    model = build(**SMALL, l2=0.1)
    squares = sum(float(np.sum(np.square(v))) for v in model.trainable_variables if "kernel" in v.path)
    assert float(sum(model.losses)) == pytest.approx(0.1 * squares, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": 50}, r"`model.crop` must be at most model.input_size=48. Received: model.crop=50."),
        ({"depths": [1]}, r"`model.depths` must be as many as `model.widths`. Received: .*depths=\[1\]"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(**changes)
