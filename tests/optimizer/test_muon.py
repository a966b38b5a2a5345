"""Muon from its options: kernels decay, what shifts and scales does not, and averages are kept where asked."""

import keras
import numpy as np
from contracts import node

from fer_exp.options import config


def built(**changes: object) -> keras.optimizers.Optimizer:
    optimizer: keras.optimizers.Optimizer = config.build(node("optimizer", "muon", **changes), 0.1)
    return optimizer


def test_kernels_decay_and_the_rest_does_not() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    for variable in model.trainable_variables:
        variable.assign(keras.ops.ones_like(variable))
    built(weight_decay=0.2).apply(
        [keras.ops.zeros_like(variable) for variable in model.trainable_variables], model.trainable_variables
    )
    after = {variable.path.split("/")[-1]: np.array(variable) for variable in model.trainable_variables}
    np.testing.assert_allclose(after.pop("kernel"), 1.0 - 0.1 * 0.2, rtol=1e-6)
    for values in after.values():
        np.testing.assert_array_equal(values, 1.0)


def test_an_average_is_kept_where_asked() -> None:
    assert built(ema_momentum=0.9).use_ema
    assert not built().use_ema
