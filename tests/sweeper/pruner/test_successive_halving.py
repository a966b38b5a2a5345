"""Rungs after 1, 3, 9 ... epochs, of which the better share goes on."""

import pytest
from search_contract import node, pruned_after

from fer_exp.errors import ConfigError
from fer_exp.options import config


def pruner(**changes: int) -> object:
    return config.build(node("pruner", "successive_halving", **changes), 9)


def test_a_trial_that_is_not_the_best_so_far_stops_at_its_first_rung() -> None:
    assert pruned_after(pruner(), [0.5] * 9, [0.4] * 9, [0.6] * 9) == [None, 1, None]


def test_every_trial_gets_the_least_number_of_epochs() -> None:
    assert pruned_after(pruner(min_resource=4), [0.5] * 9, [0.4] * 9) == [None, 4]
    assert pruned_after(pruner(min_early_stopping_rate=1), [0.5] * 9, [0.4] * 9) == [None, 3]


def test_a_trial_may_fall_behind_at_a_later_rung() -> None:
    assert pruned_after(pruner(), [0.5] * 9, [0.6, 0.6, 0.4, 0.4]) == [None, 3]


def test_a_factor_that_keeps_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="pruner.reduction_factor` must be greater than or equal to 2"):
        pruner(reduction_factor=1)
