"""The small CNN is the network of the article, and its options have an effect."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import pytest
from contracts import node

from fer_exp.data.inputs import image
from fer_exp.options import config

SMALL: dict[str, Any] = {"widths": [4, 6], "head_units": 8}


@pytest.fixture(autouse=True)
def _float32_policy() -> Iterator[None]:
    yield
    keras.mixed_precision.set_dtype_policy("float32")


def build(input_shape: tuple[int, int, int] = (48, 48, 1), **changes: Any) -> keras.Model:
    model: keras.Model = config.build(node("model", "cnn", **changes), image(input_shape), 7)
    return model


def separable(inputs: int, outputs: int, bias: bool) -> int:
    return 9 * inputs + inputs * outputs + (outputs if bias else 4 * outputs)  # batch norm has four vectors


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_defaults_have_the_parameters_that_arithmetic_gives(batch_norm: bool) -> None:
    channels = [1, 32, 64, 128, 128]
    convolutions = sum(separable(a, b, bias=not batch_norm) for a, b in pairwise(channels))
    side = ((48 - 4) // 2 - 4) // 2  # valid 3x3 convolutions, two before each pool: 48 -> 44 -> 22 -> 18 -> 9
    flat = side * side * 128
    dense = flat * 512 + (4 * 512 if batch_norm else 512)
    assert build(batch_norm=batch_norm).count_params() == convolutions + dense + (512 + 1) * 7
    assert 5_340_000 < build(batch_norm=batch_norm).count_params() < 5_350_000


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_colour_images_become_finite_float32_logits(channels: int, policy: str) -> None:
    keras.mixed_precision.set_dtype_policy(policy)
    images = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, channels)).astype(np.float32)
    logits = build((48, 48, channels), **SMALL)(images)
    assert logits.shape == (2, 7)
    assert logits.dtype == "float32"
    assert np.isfinite(logits).all()


def test_the_widths_are_those_of_the_convolutions_with_a_pool_after_every_second() -> None:
    kinds = [type(layer).__name__ for layer in build(widths=[4, 6, 8]).layers]
    outputs = [
        layer.filters for layer in build(widths=[4, 6, 8]).layers if isinstance(layer, keras.layers.SeparableConv2D)
    ]
    assert outputs == [4, 6, 8]
    assert kinds.count("MaxPooling2D") == 1


def test_batch_norm_comes_before_every_relu_or_nowhere() -> None:
    def before_relu(model: keras.Model) -> set[str]:
        names = [type(layer).__name__ for layer in model.layers]
        return {before for before, name in pairwise(names) if name == "ReLU"}

    assert before_relu(build(**SMALL, batch_norm=True)) == {"BatchNormalization"}
    assert before_relu(build(**SMALL, batch_norm=False)) == {"SeparableConv2D", "Dense"}


def test_the_penalty_is_the_sum_of_squares_of_all_kernels() -> None:
    assert build(**SMALL).losses == []
    model = build(**SMALL, l2=0.1)
    squares = sum(float(np.sum(np.square(v))) for v in model.trainable_variables if "kernel" in v.path)
    assert float(sum(model.losses)) == pytest.approx(0.1 * squares, rel=1e-5)


def test_dropout_rates_are_those_of_the_options() -> None:
    model = build(**SMALL, block_dropout=0.1, head_dropout=0.3)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.1, 0.3]
