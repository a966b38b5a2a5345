"""A run as one trial of a search: it tells the study what each epoch measured, and stops when the pruner says so.

Called by `experiment` in the process of the run, and by `search`, which hands on where the study is. What the trials
have in common travels in the environment, like all that a sweep tells its jobs. The number of the trial differs from
job to job: it is an override of `hydra.job.env_set`, which Hydra puts into the environment of that job alone. The
answer is in the study: a pruned trial says so in an attribute, then its process ends as one that did what it should.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fer_exp.options import config

STUDY_ENV, NUMBER_ENV = "FER_EXP_STUDY", "FER_EXP_TRIAL"
EpochLog = Callable[[dict[str, float], int], None]


class TrialPruned(Exception):  # noqa: N818 (the trial did what it should)
    """The pruner has stopped the run.

    Args:
        epoch: The last completed one, from 1.
        value: The monitored metric at that epoch.
    """

    def __init__(self, epoch: int, value: float) -> None:
        self.epoch, self.value = epoch, value
        super().__init__(f"pruned after epoch {epoch}")


@contextmanager
def handed_on(url: str, study_name: str, pruner: Mapping[str, Any], epochs: int) -> Iterator[None]:
    """Tells the jobs that are started inside where their study is.

    Args:
        url: Of the database.
        study_name: In the database.
        pruner: Node of the pruner, which the database does not keep.
        epochs: Of the longest trial.
    """
    os.environ[STUDY_ENV] = json.dumps(
        {"storage": url, "study_name": study_name, "pruner": dict(pruner), "epochs": epochs}
    )
    try:
        yield
    finally:
        del os.environ[STUDY_ENV]


def override(number: int) -> str:
    """Returns the override that tells a job which trial it is."""
    return f"++hydra.job.env_set.{NUMBER_ENV}='{number}'"


def tags() -> dict[str, str]:
    """Returns what leads from the run to its trial; nothing if the run is no trial."""
    if NUMBER_ENV not in os.environ:
        return {}
    return {"study": json.loads(os.environ[STUDY_ENV])["study_name"], "trial": os.environ[NUMBER_ENV]}


def watched(log_epoch: EpochLog, metric: str, epochs: int) -> EpochLog:
    """Returns a function that logs an epoch and then tells the study; `log_epoch` itself if the run is no trial.

    Args:
        log_epoch: Called with the metrics of each epoch and its number, from 1.
        metric: Which of them the study compares.
        epochs: Of the whole run: after the last one there is nothing to save.

    Raises:
        TrialPruned: By the function that is returned, if the run is to end.
    """
    if NUMBER_ENV not in os.environ:
        return log_epoch
    import optuna

    from fer_exp.run.hparams.study import PRUNED_AFTER, open_storage

    shared = json.loads(os.environ[STUDY_ENV])
    study = optuna.load_study(
        study_name=shared["study_name"],
        storage=open_storage(shared["storage"]),
        sampler=optuna.samplers.RandomSampler(),  # suggests nothing here, at no cost
        pruner=config.build(shared["pruner"], shared["epochs"]),
    )
    frozen = study.get_trials(deepcopy=False)[int(os.environ[NUMBER_ENV])]
    trial = optuna.Trial(study, frozen._trial_id)

    def log(metrics: dict[str, float], epoch: int) -> None:
        log_epoch(metrics, epoch)
        if epoch not in frozen.intermediate_values:
            trial.report(metrics[metric], epoch)
        if epoch < epochs and trial.should_prune():
            trial.set_user_attr(PRUNED_AFTER, epoch)
            raise TrialPruned(epoch, metrics[metric])

    return log
