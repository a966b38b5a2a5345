"""Two runs are the same if they would compute the same numbers, whatever the version that is installed."""

from typing import Any

import pytest

import fer_exp
from fer_exp.options import fingerprint

VALUES: dict[str, Any] = {
    "lr": 0.1,
    "name": "mine",
    "model": {"_target_": "fer_exp.model.cnn.build", "cache_dir": "here"},
}


def test_a_release_that_computes_the_same_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint.of(VALUES)
    monkeypatch.setattr(fer_exp, "__version__", "99.0")
    assert fingerprint.of(VALUES) == before


def test_other_numbers_other_kernels_and_another_configuration_are_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        fingerprint.of(VALUES),
        fingerprint.of({**VALUES, "lr": 0.2}),
        fingerprint.identity(VALUES).by_other_kernels,
    }
    monkeypatch.setattr(fingerprint, "TRAINING", "99.0")
    assert len(found | {fingerprint.of(VALUES)}) == 4


def test_where_things_go_does_not_count() -> None:
    elsewhere = {**VALUES, "name": "yours", "model": {**VALUES["model"], "cache_dir": "there"}, "resume": "never"}
    assert fingerprint.of(elsewhere) == fingerprint.of(VALUES)


def test_it_is_the_same_in_the_next_release() -> None:
    """Runs that wait to be gone on with are found by it: this value changes together with `TRAINING` only."""
    assert fingerprint.of({"lr": 0.1}, "Eigen") == "7f96989a0b43ae2d36cb77a54114c2bbc1e21999931e98c6dfa72fd7f3f8bb2a"
