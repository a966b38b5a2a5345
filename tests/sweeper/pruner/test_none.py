"""No pruner: nothing is stopped."""

from search_contract import node, pruned_after

from fer_exp.options import config


def test_the_worst_trial_runs_to_its_end() -> None:
    assert pruned_after(config.build(node("pruner", "none"), 3), [0.9] * 3, [0.8] * 3, [0.0] * 3) == [None] * 3
