"""What is assembled has the precision that was asked for, or that fits processor and model."""

import gc
from collections.abc import Iterator

import keras
import numpy as np
import pytest
from contracts import compose

from fer_exp.dataset import Split, Splits
from fer_exp.errors import ConfigError
from fer_exp.fit import assembly, precision
from fer_exp.network import cost
from fer_exp.options import config

SPLIT = Split.of_images(np.zeros((8, 48, 48, 1), np.uint8), np.arange(8) % 2)
SPLITS = Splits(SPLIT, SPLIT, SPLIT, ("happy", "sad"), "0", "made in the test")
SMALL = ("model=fer_resnet", "model.stem_width=4", "model.widths=[4]", "model.depths=[1]", "batch_size=8")


@pytest.fixture(autouse=True)
def _leave_no_policy() -> Iterator[None]:
    yield
    keras.mixed_precision.set_dtype_policy("float32")


def assemble(*overrides: str) -> assembly.Assembled:
    experiment = config.check(compose(*SMALL, *overrides))
    return assembly.assemble(experiment, SPLITS, assembly.prepare(experiment))


@pytest.mark.parametrize(("chosen", "compute"), [("float32", "float32"), ("mixed_bfloat16", "bfloat16")])
def test_auto_takes_what_fits_and_says_why(monkeypatch: pytest.MonkeyPatch, chosen: str, compute: str) -> None:
    monkeypatch.setattr(precision, "choose", lambda cost: (chosen, f"{cost.total} multiply-adds"))
    parts = assemble("precision=auto")
    assert (parts.precision, parts.precision_reason) == (chosen, f"auto: {parts.multiply_adds} multiply-adds")
    assert parts.model.get_layer("conv2d").compute_dtype == compute


def test_layers_whose_multiply_adds_cannot_be_counted_are_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cost, "multiply_adds", lambda model: cost.MultiplyAdds(1_000, uncounted=("odd", "memory")))
    assert assemble().multiply_adds == 1_000
    assert "more than 1,000: fer_exp cannot count those of these layers: odd, memory." in caplog.text


def test_what_is_configured_is_taken() -> None:
    parts = assemble("precision=mixed_bfloat16")
    assert (parts.precision, parts.precision_reason) == ("mixed_bfloat16", "as configured")


def test_the_first_weights_depend_on_the_seed_and_not_on_how_the_precision_was_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "choose", lambda cost: ("mixed_bfloat16", "it is a test"))
    auto, configured, other = (
        assemble(*overrides).model.get_weights()
        for overrides in (("precision=auto",), ("precision=mixed_bfloat16",), ("precision=auto", "seed=1"))
    )
    assert all(np.array_equal(a, b) for a, b in zip(auto, configured, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(auto, other, strict=True))


def test_a_cluster_that_the_strategy_does_not_use_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TF_CONFIG", "{}")
    assembly.prepare(config.check(compose()))
    assert caplog.messages == ["TF_CONFIG is set, but strategy=cpu trains in this process alone."]


def test_what_was_imported_is_left_out_of_the_rounds_of_the_garbage_collector_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rounds: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: rounds.append("frozen"))
    assembly._leave_imports_alone.cache_clear()
    for _ in range(2):  # later on, models of earlier runs in this process would be among it
        assembly.prepare(config.check(compose(*SMALL)))
    assert rounds == ["frozen"]


@pytest.mark.parametrize(("side", "told"), [(2, "2x2x1"), (5, "5x5x1"), (11, "11x11x1")])
def test_images_of_which_the_layers_leave_nothing_are_told_in_one_sentence(side: int, told: str) -> None:
    split = Split.of_images(np.zeros((8, side, side, 1), np.uint8), np.arange(8) % 2)
    experiment = config.check(compose("model=cnn", "model.widths=[4,4,4,4,4,4]", "batch_size=8"))
    strategy = assembly.prepare(experiment)
    with pytest.raises(ConfigError, match=f"model=cnn for image {told} in made in the test, of which") as error:
        assembly.assemble(experiment, Splits(split, split, split, ("happy", "sad"), "0", "made in the test"), strategy)
    assert len(error.value.problems) == 1
