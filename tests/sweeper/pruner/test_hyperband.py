"""Hyperband divides the trials among brackets, some strict and some mild."""

from search_contract import node, pruned_after

from fer_exp.options import config


def test_brackets_differ_in_how_early_they_stop() -> None:
    falling = [[1 - number / 100] * 9 for number in range(40)]  # each trial worse than all before
    stopped = pruned_after(config.build(node("pruner", "hyperband"), 9), *falling)
    assert {1, 3} <= set(stopped), "rungs of the strict and of the milder bracket"
    assert set(stopped) <= {None, 1, 3, 9}


def test_it_needs_no_completed_trial_to_know_how_long_a_trial_is() -> None:
    pruner = config.build(node("pruner", "hyperband", min_resource=3), 3)  # one bracket, whose rung is the end
    assert pruned_after(pruner, [0.5, 0.5], [0.1, 0.1]) == [None, None]
