"""Contract of a sweeper: `build(*, ...) -> Search`, what a search for hyper-parameters is told.

Called by `commandline` and `search` through `config.build`; chosen with `hydra/sweeper=<option>`, its options are
`hydra.sweeper.*`. Hydra's own sweeper, which runs every combination, is none of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fer_exp.options.config import Experiment
from fer_exp.run.hparams.search_space import Space
from fer_exp.signature import log_mode

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Search:
    """A search.

    Attributes:
        sampler: `_target_` and options of what suggests the values of a trial.
        pruner: `_target_` and options of what stops a trial early.
        direction: Whether the monitored metric shall be small or large; None asks the metric.
        storage: URL of the database that keeps the study; None is `optuna.db` in the working directory.
        study_name: Name of the study; None makes one from what is searched.
        n_trials: How many trials the study shall hold in the end, those that failed left out.
        n_jobs: Trials at once.
        max_failure_rate: Share of `n_trials` that may fail.
        params: Searched keys and their values, which the command line may replace.
    """

    sampler: Mapping[str, Any]
    pruner: Mapping[str, Any]
    direction: Direction | None
    storage: str | None
    study_name: str | None
    n_trials: int
    n_jobs: int
    max_failure_rate: float
    params: Mapping[str, Any]


def direction_of(metric: str) -> Direction:
    """Returns in which direction a metric improves, in Optuna's words."""
    return "minimize" if log_mode(metric) == "min" else "maximize"


def longest(space: Space, experiment: Experiment) -> int:
    """Returns the epochs of the longest trial.

    Args:
        space: What is searched.
        experiment: Any trial of the search.
    """
    epochs = space.searched.get("epochs")
    return experiment.epochs if epochs is None else max(int(value) for value in epochs.probes())


def problems(search: Search, space: Space, experiment: Experiment) -> Iterator[str]:
    """Yields what is wrong with a search as a whole; its options are known to be valid one by one.

    Args:
        search: The search.
        space: What is searched.
        experiment: One of its trials.
    """
    metric = experiment.checkpoint.monitor
    if all(len(set(values.probes())) < 2 for values in space.searched.values()):
        yield (
            "A search needs a key to search: give one several values, for example "
            "'lr=tag(log,interval(1e-4,1e-1))' or hydra.sweeper.params in a preset."
        )
    for key in space.searched:
        if key.lstrip("+") in ("monitor", "checkpoint.monitor", "checkpoint.keep"):
            yield f"`{key}` cannot be searched: trials are compared by one and the same metric."
    if not metric.startswith("val/"):
        yield f"`monitor` of a search must be measured on the validation split. Received: monitor={metric}."
    elif search.direction not in (None, direction_of(metric)):
        yield (
            f"`hydra.sweeper.direction` must be {direction_of(metric)} for {metric}, or null, which follows the "
            f"metric. Received: hydra.sweeper.direction={search.direction}."
        )
    least, epochs = search.pruner.get("min_resource", 1), longest(space, experiment)
    if isinstance(least, int) and least > epochs:
        yield (
            f"`hydra.sweeper.pruner.min_resource` must not be larger than epochs={epochs}. "
            f"Received: hydra.sweeper.pruner.min_resource={least}."
        )
