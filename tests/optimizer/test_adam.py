"""Steps on a toy variable equal the formula on paper."""

import math

import keras
import numpy as np
import pytest
from contracts import node

from fer_exp.options import config


def test_two_steps_equal_the_formula_of_the_paper() -> None:
    gradients, lr, beta_1, beta_2, epsilon = [2.0, -1.0], 0.1, 0.8, 0.95, 1e-3
    variable = keras.Variable([1.0])
    optimizer = config.build(node("optimizer", "adam", beta_1=beta_1, beta_2=beta_2, epsilon=epsilon), lr)
    weight, first, second = 1.0, 0.0, 0.0
    for step, gradient in enumerate(gradients, start=1):
        optimizer.apply([keras.ops.convert_to_tensor([gradient])], [variable])
        first = beta_1 * first + (1 - beta_1) * gradient
        second = beta_2 * second + (1 - beta_2) * gradient**2
        # The paper's second form (section 2): bias correction in the rate, epsilon beside the raw root.
        rate = lr * math.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        weight -= rate * first / (math.sqrt(second) + epsilon)
    assert float(np.asarray(variable)[0]) == pytest.approx(weight, rel=1e-5)


def test_clipnorm_limits_each_gradient_before_the_moments() -> None:
    variable = keras.Variable([0.0, 0.0])
    optimizer = config.build(node("optimizer", "adam", clipnorm=1.0), 0.1)
    optimizer.build([variable])
    optimizer.apply([keras.ops.convert_to_tensor([30.0, 40.0])])
    (momentum,) = [np.asarray(v) for v in optimizer.variables if v.path.endswith("momentum")]
    assert momentum == pytest.approx(np.array([0.6, 0.8]) * (1 - 0.9), rel=1e-5)
