"""The median rule, epoch by epoch."""

from search_contract import node, pruned_after

from fer_exp.options import config

GOOD, FAIR, BAD = [0.5, 0.6, 0.7, 0.8], [0.3, 0.5, 0.6, 0.7], [0.2, 0.2, 0.2, 0.2]


def pruner(**changes: int) -> object:
    return config.build(node("pruner", "median", **{"n_startup_trials": 2, "n_warmup_steps": 0, **changes}), 4)


def test_a_trial_below_the_median_is_stopped_after_the_first_epoch() -> None:
    assert pruned_after(pruner(), GOOD, FAIR, BAD) == [None, None, 1]


def test_warm_up_epochs_are_never_stopped() -> None:
    assert pruned_after(pruner(n_warmup_steps=2), GOOD, FAIR, BAD)[-1] == 3


def test_nothing_is_stopped_before_enough_trials_are_complete() -> None:
    assert pruned_after(pruner(n_startup_trials=3), GOOD, FAIR, BAD, BAD) == [None, None, None, 1]


def test_it_decides_every_so_many_epochs() -> None:
    late = [0.9, 0.9, 0.9, 0.9]
    falling = [0.9, 0.0, 0.0, 0.0]
    assert pruned_after(pruner(interval_steps=3, n_warmup_steps=1), late, late, [0.1] * 4)[-1] == 2
    assert pruned_after(pruner(), late, late, falling)[-1] is None, "what counts is the best value so far"
