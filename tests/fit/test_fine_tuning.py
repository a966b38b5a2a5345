"""A variant of a model is trained a little more, with what the run trains with, and without its test split."""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from contracts import compose
from rich.console import Console
from small_trainings import PLAIN, SMALL_CNN, SPLITS, evaluate

from fer_exp.dataset import Split, Splits
from fer_exp.errors import TrainingDivergedError
from fer_exp.fit import assembly, fine_tuning
from fer_exp.options import config


def tuned(splits: Splits, *overrides: str, epochs: int = 3, peak: float = 1e-2) -> tuple[keras.Model, Any]:
    """Fine-tunes a copy of the assembled model; returns it and its first weights."""
    experiment = config.check(compose(*PLAIN, *SMALL_CNN, *overrides))
    strategy = assembly.prepare(experiment)
    parts = assembly.assemble(experiment, splits, strategy)
    model = keras.models.clone_model(parts.model)
    first = model.get_weights()
    fit = assembly.Fit(experiment, splits, strategy, parts, Console(quiet=True), Path("unused"))
    fine_tuning.train(fit, model, epochs, peak)
    return model, first


@pytest.mark.parametrize(("optimizer", "peak"), [("adam", 1e-2), ("sgd", 0.1)])
def test_fine_tuning_teaches_a_variant_of_the_model(optimizer: str, peak: float) -> None:
    overrides = (
        f"optimizer={optimizer}",
        "augmentation=light",
        "loss.class_weights=auto",
        "optimizer.ema_momentum=0.5",
    )
    model, first = tuned(SPLITS, *overrides, epochs=8, peak=peak)
    trained = evaluate(model, SPLITS.val)[0]
    model.set_weights(first)
    assert trained < 0.99 * evaluate(model, SPLITS.val)[0]


def test_fine_tuning_does_not_look_at_the_test_split() -> None:
    class Untouchable(Split):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(f"test.{name} was looked at")

    untouchable = Untouchable.__new__(Untouchable)
    model, first = tuned(dataclasses.replace(SPLITS, test=untouchable), epochs=1)
    assert not np.array_equal(model.get_weights()[0], first[0])


def test_fine_tuning_that_diverges_says_so() -> None:
    with pytest.raises(TrainingDivergedError, match="The loss became .* in epoch 1, step 2. Try a smaller lr"):
        tuned(SPLITS, peak=1e30)
