"""Steps on a toy variable equal the formula on paper."""

import keras
import numpy as np
import pytest
from contracts import node

from fer_exp.options import config

LR = 0.1


def weight_after(gradients: list[float], start: float = 1.0, name: str = "kernel", **changes: object) -> float:
    variable = keras.Variable([start], name=name)
    optimizer = config.build(node("optimizer", "sgd", **changes), LR)
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor([gradient])], [variable])
    return float(np.asarray(variable)[0])


def test_nesterov_momentum_looks_ahead() -> None:
    velocity = -LR * 2.0
    weight = 1.0 + 0.9 * velocity - LR * 2.0
    velocity = 0.9 * velocity - LR * 3.0
    weight += 0.9 * velocity - LR * 3.0
    assert weight_after([2.0, 3.0], momentum=0.9, nesterov=True) == pytest.approx(weight)


def test_plain_momentum_adds_the_velocity() -> None:
    velocity = 0.5 * (-LR * 2.0) - LR * 3.0
    assert weight_after([2.0, 3.0], momentum=0.5, nesterov=False) == pytest.approx(1.0 - LR * 2.0 + velocity)


def test_weight_decay_takes_its_share_times_the_rate_from_kernels() -> None:
    assert weight_after([0.0], start=2.0, weight_decay=0.05) == pytest.approx(2.0 - LR * 0.05 * 2.0)


@pytest.mark.parametrize("name", ["bias", "gamma", "beta"])
def test_weight_decay_leaves_biases_and_batch_norm_alone(name: str) -> None:
    assert weight_after([0.0], start=2.0, name=name, weight_decay=0.05) == 2.0


def test_clipnorm_limits_the_gradient() -> None:
    assert weight_after([50.0], momentum=0.0, nesterov=False, clipnorm=1.0) == pytest.approx(1.0 - LR)
