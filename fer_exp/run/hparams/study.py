"""The database of a search, and the study in it: opened, continued, left whole.

Called by `search`, by `trial` in the process of each trial, and by the command line, which asks for the database before
anything runs. It must not know how trials are run.
"""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import optuna
from filelock import FileLock
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError

from fer_exp.errors import ConfigError
from fer_exp.options.grammar import sqlite
from fer_exp.process import credentials
from fer_exp.run import owner
from fer_exp.run.hparams.search_space import Choice, Interval

PRUNED_AFTER = "pruned_after_epoch"  # which a trial says of itself before its process ends
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_METRIC = "metric"
_TABLE_OF_MLFLOW = "experiments"
# How long a driver waits: for other writers of a file, for a server that does not answer.
_PATIENCE_SECONDS = {"sqlite": {"timeout": 60}, "postgresql": {"connect_timeout": 10}, "mysql": {"connect_timeout": 10}}


def url_of(storage: str | None) -> str:
    """Returns a URL that does not depend on the working directory, its password put aside.

    Args:
        storage: URL of a database; None means `optuna.db` in the working directory.
    """
    if storage is None:
        return sqlite.uri_of(Path.cwd() / "optuna.db")
    if sqlite.file_of(storage) is not None:
        return sqlite.absolute(storage)
    return credentials.put_aside(storage)


def open_storage(url: str) -> optuna.storages.BaseStorage:
    """Opens a database; makes its tables if it has none.

    Args:
        url: As from `url_of`.

    Raises:
        ConfigError: If it cannot be reached, holds the runs of MLflow, or was made by another version of Optuna.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file = sqlite.file_of(url)
    if file is not None and not file.parent.is_dir():
        raise ConfigError([f"`hydra.sweeper.storage` must lie in an existing folder. Received: {url}."])
    try:
        address = credentials.whole(url)
        backend = make_url(address).get_backend_name()
        engine = create_engine(address, connect_args=_PATIENCE_SECONDS.get(backend, {}))
        if (file is None or file.is_file()) and inspect(engine).has_table(_TABLE_OF_MLFLOW):
            # Both keep the version of their tables in a table of the same name.
            raise ConfigError(
                [
                    "`hydra.sweeper.storage` must be a database of its own, not the one that MLflow keeps runs in: "
                    f"make another beside it. Received: {url}."
                ]
            )
        engine.dispose()
        # First use of a file makes its tables, and two processes doing that at once break each other.
        with FileLock(f"{file}.lock") if file else nullcontext():
            # Optuna fills in its version between braces, which a folder's name may have too.
            literal = address.replace("{", "{{").replace("}", "}}") if file else address
            return optuna.storages.RDBStorage(literal, {"connect_args": _PATIENCE_SECONDS.get(backend, {})})
    except (SQLAlchemyError, optuna.exceptions.OptunaError, ImportError, OSError, RuntimeError) as error:
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        problem = f"`hydra.sweeper.storage` must be a database that can be used: {reason} Received: {url}."
        raise ConfigError([problem]) from error


def open_study(
    storage: optuna.storages.BaseStorage,
    name: str,
    metric: str,
    distributions: Mapping[str, BaseDistribution],
    direction: Literal["minimize", "maximize"],
) -> optuna.Study:
    """Opens a study, a new one if there is none of that name.

    Args:
        storage: Its database.
        name: Its name.
        metric: What its trials are compared by.
        distributions: What it searches.
        direction: Whether the metric shall be small or large.

    Raises:
        ConfigError: If there is one of that name which searches something else.
    """
    study = optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)
    earlier = study.user_attrs.setdefault(_METRIC, metric)
    if earlier != metric:
        raise ConfigError([_other(name, f"compares its trials by {earlier}, not by {metric}")])
    for trial in study.get_trials(deepcopy=False):
        for key, old in trial.distributions.items():
            if key in distributions and not _compatible(old, distributions[key]):
                raise ConfigError([_other(name, f"chooses `{key}` from other values")])
    study.set_user_attr(_METRIC, metric)
    return study


def free_name(storage: optuna.storages.BaseStorage, name: str) -> str:
    """Returns the name, or if there is such a study the first of `name-2`, `name-3` ... that is free."""
    taken = {study.study_name for study in storage.get_all_studies()}
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def distribution(values: Choice | Interval) -> BaseDistribution:
    """Returns Optuna's word for what a key takes its values from."""
    if isinstance(values, Choice):
        return CategoricalDistribution(values.values)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return IntDistribution(values.low, values.high, log=values.log, step=int(values.step or 1))
    return FloatDistribution(values.low, values.high, log=values.log, step=values.step)


def count(study: optuna.Study, states: Iterable[TrialState] = FINISHED) -> int:
    """Returns how many trials are in one of the states."""
    return len(study.get_trials(deepcopy=False, states=tuple(states)))


def settle(study: optuna.Study) -> list[str]:
    """Ends the trials that a killed process left running, and puts their values first in the queue.

    A trial whose process could still say that it was pruned is pruned. The others fail, and the same values are tried
    again, where the training goes on from its last completed epoch.

    Args:
        study: Any.

    Returns:
        A sentence for each trial that was found running.
    """
    sentences = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        state = owner.state(trial.user_attrs)
        if state in ("alive", "elsewhere"):
            where = f"process {trial.user_attrs[owner.PID]} on {trial.user_attrs[owner.HOST]}"
            sentences.append(f"trial {trial.number} belongs to {where}: left alone")
        elif PRUNED_AFTER in trial.user_attrs:
            study.tell(trial.number, state=TrialState.PRUNED)
            sentences.append(f"trial {trial.number} was pruned when its process was killed")
        else:
            waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
            # First into the queue, then out of the way: a kill in between must not lose the trial.
            if trial.params and trial.params not in [w.system_attrs.get("fixed_params") for w in waiting]:
                study.enqueue_trial(trial.params)
            study.tell(trial.number, state=TrialState.FAIL)
            sentences.append(f"trial {trial.number} was left behind by a killed process: its values are tried again")
    return sentences


def twin(study: optuna.Study, trial: optuna.Trial) -> FrozenTrial | None:
    """Returns a finished trial with the same values, if there is one."""
    finished = study.get_trials(deepcopy=False, states=FINISHED)
    return next((other for other in finished if other.params == trial.params), None)


def _compatible(old: BaseDistribution, new: BaseDistribution) -> bool:
    try:
        optuna.distributions.check_distribution_compatibility(old, new)
    except ValueError:
        return False
    return True


def _other(name: str, what: str) -> str:
    return (
        f"`hydra.sweeper.study_name` must name a study of the same search: {name} {what}. "
        "Give it another name, or null, which makes one from what is searched."
    )
