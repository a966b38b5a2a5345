"""The Parzen estimator learns: it suggests values near the good ones."""

import optuna
import pytest
from search_contract import node

from fer_exp.options import config


def far_off(option: str, **changes: object) -> float:
    """Returns how far the last 10 of 40 suggestions lie from the best value on average."""
    study = optuna.create_study(sampler=config.build(node("sampler", option, **changes), 0))
    for _ in range(40):
        trial = study.ask()
        study.tell(trial, (trial.suggest_float("x", 0, 1) - 0.3) ** 2)
    return sum(abs(trial.params["x"] - 0.3) for trial in study.trials[-10:]) / 10


@pytest.mark.parametrize("multivariate", [True, False])
def test_it_comes_closer_than_chance(multivariate: bool) -> None:
    assert far_off("tpe", multivariate=multivariate) < far_off("random") / 2


def test_before_it_has_seen_enough_it_draws_at_random() -> None:
    assert far_off("tpe", n_startup_trials=40) > far_off("random") / 2


def test_a_search_that_goes_on_gets_other_values() -> None:
    first, later = (
        optuna.create_study(sampler=config.build(node("sampler", "tpe"), trials)).ask().suggest_float("x", 0, 1)
        for trials in (0, 1)
    )
    assert first != later
