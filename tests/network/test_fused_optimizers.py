"""One operation a variable gives Keras' own steps."""

from typing import Any

import keras
import numpy as np
import pytest

from fer_exp.network import fused_optimizers

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(0, 1, (32, 6)).astype(np.float32)
TARGETS = RNG.normal(0, 1, (32, 2)).astype(np.float32)


def train(optimizer: keras.optimizers.Optimizer, policy: str = "float32") -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns weights and optimizer state after some steps, a decaying rate among what changes."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(8, activation="tanh", dtype=policy), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(optimizer, "mse")
    model.fit(IMAGES, TARGETS, batch_size=8, epochs=4, shuffle=False, verbose=0)
    return model.get_weights(), [np.array(variable) for variable in optimizer.variables]


def rate() -> keras.optimizers.schedules.LearningRateSchedule:
    return keras.optimizers.schedules.CosineDecay(0.05, 20)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Adam", {}),
        ("Adam", {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1, "clipnorm": 0.1}),
        ("Adam", {"amsgrad": True}),
        ("Adam", {"use_ema": True, "ema_momentum": 0.9}),
        ("AdamW", {"weight_decay": 0.1}),
        ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
        ("SGD", {"momentum": 0.5, "nesterov": False, "use_ema": True, "ema_momentum": 0.9}),
        ("SGD", {"momentum": 0.0}),
    ],
)
def test_weights_and_state_are_keras_own(name: str, options: dict[str, Any]) -> None:
    expected = train(getattr(keras.optimizers, name)(rate(), **options))
    found = train(getattr(fused_optimizers, name)(rate(), **options))
    for group, wanted in zip(found, expected, strict=True):
        assert len(group) == len(wanted)
        for one, other in zip(group, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_updates_float32_weights(policy: str) -> None:
    expected, _ = train(keras.optimizers.Adam(0.01), policy)
    found, _ = train(fused_optimizers.Adam(0.01), policy)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_rows_of_an_embedding_are_updated_as_keras_does() -> None:
    def embed(optimizer: keras.optimizers.Optimizer) -> np.ndarray:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Embedding(5, 3), keras.layers.Flatten()])
        model.compile(optimizer, "mse")
        model.fit(np.array([[0], [3]]), np.ones((2, 3)), epochs=3, verbose=0, shuffle=False)
        return model.get_weights()[0]

    for name in ("Adam", "SGD"):
        options = {"momentum": 0.9} if name == "SGD" else {}
        expected = embed(getattr(keras.optimizers, name)(0.1, **options))
        found = embed(getattr(fused_optimizers, name)(0.1, **options))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
