"""The test split is out of the reach of whatever trains and selects, whatever that code does."""

import gc
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts import compose

from fer_exp.data import loading
from fer_exp.dataset import Development, Split, Splits
from fer_exp.fit import assembly
from fer_exp.options import config
from fer_exp.run import experiment

NAMES = ("angry", "happy", "sad")
TINY = ("model.widths=[4,4]", "model.head_units=8", "batch_size=8", "precision=float32")


class ReachedError(Exception):
    """Ends a run where its training would begin."""


def split(seed: int) -> Split:
    return Split.of_images(np.random.default_rng(seed).integers(0, 256, (24, 12, 12, 1), np.uint8), np.arange(24) % 3)


@pytest.fixture
def splits() -> Splits:
    return Splits(split(0), split(1), split(2), NAMES, "0" * 64, "drawn")


def reachable(*roots: object) -> set[int]:
    """Returns the ids of all that code can get at from some objects: attributes, elements, what functions close over.

    Modules, classes and the globals of functions are the same for everybody; no data set is kept there.
    """
    seen: set[int] = set()
    waiting: list[object] = list(roots)
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, types.ModuleType | type | types.FrameType):
            continue
        seen.add(id(found))
        if isinstance(found, types.FunctionType):
            waiting += [found.__closure__, found.__defaults__, found.__kwdefaults__]
        else:
            waiting += gc.get_referents(found)
    return seen


def test_what_a_training_is_handed_does_not_lead_to_the_test_images(splits: Splits) -> None:
    checked = config.check(compose(*TINY))
    strategy = assembly.prepare(checked)
    handed = (splits.development, assembly.assemble(checked, splits.development, strategy))
    held = reachable(*handed)
    assert id(splits.train.images) in held
    assert id(splits.val.images) in held
    assert not {id(splits.test), id(splits.test.images), id(splits.test.labels)} & held
    assert id(splits.test.images) in reachable(splits, handed)  # it would be found


def test_a_run_hands_on_no_more_than_that(splits: Splits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    handed: list[Any] = []

    def reached(*arguments: Any) -> None:
        handed.extend(arguments)
        raise ReachedError

    built = config.build
    monkeypatch.setattr(
        config, "build", lambda node, *a, **b: None if "tracking" in node["_target_"] else built(node, *a, **b)
    )
    monkeypatch.setattr(loading, "load", lambda _: splits)
    monkeypatch.setattr(assembly, "assemble", reached)
    with pytest.raises(ReachedError):
        experiment.run(config.check(compose(*TINY)), [], tmp_path)
    with pytest.raises(ReachedError):
        experiment.follow(config.check(compose(*TINY)))
    assert [type(argument) for argument in handed if isinstance(argument, Splits | Development)] == [Development] * 2
    assert id(splits.test.images) not in reachable(*handed)
