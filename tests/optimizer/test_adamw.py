"""Decay acts on the weight itself, not through the gradient, and spares biases and batch norm unless asked."""

import keras
import numpy as np
import pytest
from contracts import node

from fer_exp.options import config

LR, DECAY = 0.1, 0.02


def weight_after_step(gradient: float, name: str, **changes: object) -> float:
    variable = keras.Variable([2.0], name=name)
    optimizer = config.build(node("optimizer", "adamw", weight_decay=DECAY, **changes), LR)
    optimizer.apply([keras.ops.convert_to_tensor([gradient])], [variable])
    return float(np.asarray(variable)[0])


def test_decay_is_decoupled_from_the_gradient() -> None:
    # Adam's first step is lr * sign(gradient), whatever its size; the decay is lr * weight_decay * weight.
    assert weight_after_step(3.0, "kernel") == pytest.approx(2.0 - LR * DECAY * 2.0 - LR, rel=1e-5)


@pytest.mark.parametrize("name", ["bias", "gamma", "beta"])
def test_biases_and_batch_norm_parameters_do_not_decay_unless_asked(name: str) -> None:
    assert weight_after_step(0.0, name) == 2.0
    assert weight_after_step(0.0, name, decay_bias_and_norm=True) == pytest.approx(2.0 - LR * DECAY * 2.0)


def test_real_layers_name_their_variables_as_the_exclusion_expects() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    before = {v.path: np.asarray(v) + 1.0 for v in model.trainable_variables}
    for variable in model.trainable_variables:
        variable.assign_add(keras.ops.ones_like(variable))
    optimizer = config.build(node("optimizer", "adamw", weight_decay=DECAY), LR)
    optimizer.apply([keras.ops.zeros_like(v) for v in model.trainable_variables], model.trainable_variables)
    moved = {v.path.split("/")[-1] for v in model.trainable_variables if not np.array_equal(v, before[v.path])}
    assert moved == {"kernel"}
