"""Random values: repeatable from the start, fresh ones when a search goes on."""

import optuna
from search_contract import node

from fer_exp.options import config


def suggested(trials: int, seed: int | None = 0) -> list[float]:
    sampler = config.build(node("sampler", "random", seed=seed), trials)
    study = optuna.create_study(sampler=sampler)
    return [study.ask().suggest_float("x", 0, 1) for _ in range(4)]


def test_the_same_seed_suggests_the_same() -> None:
    assert suggested(0) == suggested(0)
    assert suggested(0) != suggested(0, seed=1)


def test_a_search_that_goes_on_gets_other_values() -> None:
    assert not set(suggested(0)) & set(suggested(4))


def test_without_a_seed_each_time_is_another() -> None:
    assert suggested(0, seed=None) != suggested(0, seed=None)
