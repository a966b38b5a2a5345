"""A search with Optuna."""

from typing import Any, Literal

from fer_exp.signature import Fraction, PositiveInt
from fer_exp.sweeper import Search


def build(
    *,
    sampler: dict[str, Any],
    pruner: dict[str, Any],
    direction: Literal["minimize", "maximize"] | None,
    storage: str | None,
    study_name: str | None,
    n_trials: PositiveInt,
    n_jobs: PositiveInt,
    max_failure_rate: Fraction,
    params: dict[str, Any] | None,
) -> Search:
    """Builds the description of a search.

    Args:
        sampler: What suggests values: hydra/sweeper/sampler=tpe or random.
        pruner: What stops trials early: hydra/sweeper/pruner=median, hyperband, successive_halving or none.
        direction: Null follows the monitored metric.
        storage: URL of a database, for example postgresql://host/optuna; null is optuna.db in the working directory.
        study_name: Name in the database; null makes one from what is searched, so that the same command finds it.
        n_trials: Completed and pruned trials that the study shall hold in the end, >= 1; failed ones do not count.
        n_jobs: Trials handed to the launcher at once, >= 1.
        max_failure_rate: Share of n_trials that may fail before the search ends, 0-1.
        params: Keys and their values, as they would be typed; the command line replaces and adds.
    """
    return Search(
        sampler=sampler,
        pruner=pruner,
        direction=direction,
        storage=storage,
        study_name=study_name,
        n_trials=n_trials,
        n_jobs=n_jobs,
        max_failure_rate=max_failure_rate,
        params=params or {},
    )
