"""Epochs are shared out whole, and frozen layers do not move: neither their weights nor their statistics."""

import keras
import numpy as np
import pytest
from contracts import node

from fer_exp.data.inputs import image
from fer_exp.errors import ConfigError
from fer_exp.finetune import Stage, split_epochs, unfreeze
from fer_exp.options import config

TINY = {"alpha": 0.25, "input_size": 32, "weights": None, "head_units": 8}


def plan(*shares: float) -> list[Stage]:
    return [Stage(name=str(i), unfreeze=1.0, lr_scale=1.0, epoch_share=share) for i, share in enumerate(shares)]


def test_the_default_plan_goes_from_the_head_to_everything_ever_more_slowly() -> None:
    stages = config.build(node("finetune", "staged"))
    assert [(stage.unfreeze, stage.lr_scale) for stage in stages] == [(0.0, 1.0), (0.5, 0.1), (1.0, 0.01)]


@pytest.mark.parametrize(
    ("epochs", "shares", "expected"),
    [
        (10, (0.2, 0.4, 0.4), [2, 4, 4]),
        (12, (1.0, 2.0, 1.0), [3, 6, 3]),
        (3, (0.2, 0.4, 0.4), [1, 1, 1]),
        (5, (0.01, 0.99), [1, 4]),
        (7, (1.0,), [7]),
        (4, (100.0, 0.001, 0.001), [2, 1, 1]),
    ],
)
def test_epochs_are_divided_by_their_shares(epochs: int, shares: tuple[float, ...], expected: list[int]) -> None:
    assert split_epochs(epochs, plan(*shares)) == expected


def test_every_stage_gets_an_epoch_and_none_is_lost_whatever_the_plan() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        shares = rng.uniform(0.01, 1, rng.integers(1, 6))
        epochs = int(rng.integers(len(shares), 60))
        parts = split_epochs(epochs, plan(*shares))
        assert sum(parts) == epochs
        assert min(parts) >= 1
        wanted = epochs * shares / shares.sum()
        # Nobody is further from the exact share than rounding and the guaranteed epochs of the others explain.
        assert np.all(np.abs(parts - wanted) <= 1 + len(shares))


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"unfreeze": 1.5}, r"`finetune.stages.0.unfreeze` must be less than or equal to 1. Received: .*=1.5"),
        ({"epoch_share": 0.0}, r"`finetune.stages.0.epoch_share` must be greater than 0"),
        ({"lr": 0.1}, r"`finetune.stages.0.lr` is not an option"),
    ],
)
def test_a_bad_stage_is_named_by_its_number(stage: dict[str, float], message: str) -> None:
    good = {"name": "all", "unfreeze": 1.0, "lr_scale": 1.0, "epoch_share": 1.0}
    with pytest.raises(ConfigError, match=message):
        config.build(node("finetune", "staged", stages=[{**good, **stage}]))


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    built: keras.Model = config.build(node("model", "mobilenet_v1", **TINY), image((32, 32, 1)), 7)
    return built


def parameters(variables: list[keras.Variable]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


def test_nothing_unfrozen_leaves_the_head_to_learn(model: keras.Model) -> None:
    learning = unfreeze(model, 0.0)
    assert learning == parameters(model.trainable_variables) == (256 * 8 + 8) + (8 * 7 + 7)


def test_everything_unfrozen_leaves_only_the_statistics_out(model: keras.Model) -> None:
    statistics = parameters([v for v in model.weights if "moving_" in v.path])
    assert statistics > 0
    assert unfreeze(model, 1.0) == model.count_params() - statistics


def test_half_unfrozen_is_the_half_next_to_the_output(model: keras.Model) -> None:
    unfreeze(model, 0.5)
    trainable = [layer.trainable for layer in model.get_layer("backbone").layers]
    assert trainable == [False] * 43 + [True] * 43  # 86 layers


def test_a_later_stage_can_freeze_again(model: keras.Model) -> None:
    assert unfreeze(model, 0.0) < unfreeze(model, 0.5) < unfreeze(model, 1.0)
    assert unfreeze(model, 0.0) < 3_000


def test_a_model_without_backbone_learns_whole() -> None:
    dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    assert unfreeze(dense, 0.0) == 8


def test_frozen_layers_keep_their_weights_and_statistics_and_unfrozen_ones_move_both(model: keras.Model) -> None:
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 1)).astype(np.float32)
    targets = np.eye(7, dtype=np.float32)[[0, 1, 2, 3]]
    unfreeze(model, 0.5)
    model.compile(keras.optimizers.SGD(0.1), keras.losses.CategoricalCrossentropy(from_logits=True), run_eagerly=True)
    before = {v.path: np.array(v) for v in model.variables}
    model.train_on_batch(images, targets)
    moved = {v.path for v in model.variables if not np.array_equal(before[v.path], v)}
    layers = model.get_layer("backbone").layers
    frozen = {v.path for layer in layers[:43] for v in layer.variables}
    learning = {v.path for layer in layers[43:] for v in layer.variables}
    assert not moved & frozen
    assert {path for path in learning if "moving_" in path} <= moved
    assert {path for path in learning if path.endswith("kernel")} <= moved
