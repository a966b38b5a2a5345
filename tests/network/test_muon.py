"""Steps of matrices are orthogonal, those of everything else are AdamW's, under every precision and strategy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_exp.network import fused_optimizers
from fer_exp.network.muon import Muon, orthogonalised

RNG = np.random.default_rng(0)


def as_published(matrix: np.ndarray, steps: int) -> np.ndarray:
    """The iteration on the whole matrix, in double precision."""
    x = matrix.astype(np.float64) / np.linalg.norm(matrix)
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return np.asarray(x)


@pytest.mark.parametrize("shape", [(288, 64), (9, 32), (40, 40)])
@pytest.mark.parametrize("steps", [1, 5])
def test_the_iteration_is_the_published_one(shape: tuple[int, int], steps: int) -> None:
    matrix = RNG.normal(0, 3, shape).astype(np.float32)
    np.testing.assert_allclose(orthogonalised(tf.constant(matrix), steps), as_published(matrix, steps), atol=2e-4)


def test_singular_values_come_near_one_and_singular_vectors_stay() -> None:
    matrix = RNG.normal(0, 1, (200, 50)).astype(np.float32)
    found = orthogonalised(tf.constant(matrix), 5).numpy()
    values = np.linalg.svd(found, compute_uv=False)
    assert values.min() > 0.6
    assert values.max() < 1.3
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    inside = left.T @ found @ right.T
    assert np.abs(inside - np.diag(np.diag(inside))).max() < 0.01


def muon(**options: float) -> Muon:
    return Muon(0.1, **{"momentum": 0.9, "adam_lr_ratio": 0.5, "steps": 5, "weight_decay": 0.0, **options})


def test_a_gradient_of_zeros_leaves_a_kernel_as_it_is() -> None:
    kernel = keras.Variable(np.ones((3, 3, 4, 8), np.float32), name="kernel")
    muon().apply([keras.ops.zeros((3, 3, 4, 8))], [kernel])
    np.testing.assert_array_equal(kernel, np.ones((3, 3, 4, 8)))


@pytest.mark.parametrize(("shape", "length"), [((3, 3, 16, 8), 1.0), ((1, 1, 4, 16), 2.0), ((32, 8), 1.0)])
def test_the_step_of_a_kernel_has_one_size_whatever_the_size_of_its_gradient(
    shape: tuple[int, ...], length: float
) -> None:
    gradient = RNG.normal(0, 1, shape).astype(np.float32)
    for scale in (1e-4, 1e4):
        kernel = keras.Variable(np.zeros(shape, np.float32), name="kernel")
        muon().apply([keras.ops.convert_to_tensor(scale * gradient)], [kernel])
        values = np.linalg.svd(np.reshape(kernel, (-1, shape[-1])), compute_uv=False)
        np.testing.assert_allclose(values, 0.1 * length, rtol=0.35)


def small_network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(4, 3, name="convolution"),
            keras.layers.DepthwiseConv2D(3, name="depthwise"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Flatten(),
            keras.layers.Dense(5, name="hidden"),
            keras.layers.Dense(2, name="logits"),
        ]
    )


def moved(optimizer: keras.optimizers.Optimizer) -> dict[str, np.ndarray]:
    model = small_network()
    before = [np.array(variable) for variable in model.trainable_variables]
    gradients = [np.random.default_rng(1).normal(0, 1, old.shape).astype(np.float32) for old in before]
    for _ in range(3):
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], model.trainable_variables)
    return {
        "/".join(variable.path.split("/")[-2:]): np.array(variable) - old
        for variable, old in zip(model.trainable_variables, before, strict=True)
    }


def test_what_is_no_hidden_matrix_is_adamws() -> None:
    found, adamw = moved(muon()), moved(fused_optimizers.AdamW(0.05, weight_decay=0.0))
    differ = {path for path in found if not np.allclose(found[path], adamw[path], rtol=1e-4, atol=1e-7)}
    assert differ == {"convolution/kernel", "hidden/kernel"}


def test_only_what_adamw_updates_has_second_moments() -> None:
    model, optimizer = small_network(), muon()
    optimizer.build(model.trainable_variables)
    assert len(optimizer.variables) == 2 + 2 * len(model.trainable_variables) - 2


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_network_learns_in_every_precision(policy: str) -> None:
    keras.utils.set_random_seed(0)
    images = RNG.normal(0, 1, (64, 6)).astype(np.float32)
    layers = [keras.layers.Dense(16, activation="tanh", dtype=policy), keras.layers.Dense(1, dtype="float32")]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(muon(), "mse")
    losses = model.fit(images, images[:, :1] * images[:, 1:2], batch_size=16, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]


def test_it_is_built_again_from_its_configuration() -> None:
    made = muon(momentum=0.8, steps=3)
    again = Muon.from_config(made.get_config())
    assert (again.momentum, again.steps, again.adam_lr_ratio) == (0.8, 3, 0.5)
