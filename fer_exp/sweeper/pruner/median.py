"""Stops a trial whose best value so far is worse than the median of the completed ones at the same epoch."""

import optuna

from fer_exp.signature import NonNegativeInt, PositiveInt


def build(
    epochs: int,
    *,
    n_startup_trials: NonNegativeInt,
    n_warmup_steps: NonNegativeInt,
    interval_steps: PositiveInt,
    n_min_trials: PositiveInt,
) -> optuna.pruners.BasePruner:
    """Builds the pruner.

    Args:
        epochs: Of the longest trial.
        n_startup_trials: Trials that must complete before any is stopped, >= 0.
        n_warmup_steps: First epochs of a trial, in which it is not stopped, >= 0.
        interval_steps: Epochs from one decision to the next, >= 1.
        n_min_trials: Completed trials there must be at the same epoch, >= 1.

    Source:
        Golovin et al., 2017, https://dl.acm.org/doi/10.1145/3097983.3098043.
    """
    return optuna.pruners.MedianPruner(
        n_startup_trials=n_startup_trials,
        n_warmup_steps=n_warmup_steps + 1,  # the first step is 1
        interval_steps=interval_steps,
        n_min_trials=n_min_trials,
    )
