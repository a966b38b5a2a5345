"""A run that is a trial tells its study each epoch and stops when it should; a run that is none is left alone."""

import os
from pathlib import Path

import optuna
import pytest
from search_contract import node

from fer_exp.run.hparams import study, trial


def log_nothing(metrics: dict[str, float], epoch: int) -> None:
    """Stands for the tracker."""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> optuna.Trial:
    """The second trial of a study whose first measured 0.9 in each epoch."""
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    of = study.open_study(study.open_storage(url), "s", "val/accuracy", {}, "maximize")
    first = of.ask()
    for epoch in (1, 2, 3):
        first.report(0.9, epoch)
    of.tell(first, 0.9)
    second = of.ask()
    pruner = node("pruner", "median", n_startup_trials=1, n_warmup_steps=1)
    with trial.handed_on(url, "s", pruner, 3):
        monkeypatch.setenv(trial.NUMBER_ENV, str(second.number))
        yield second
    assert trial.STUDY_ENV not in os.environ


def reports(asked: optuna.Trial) -> dict[int, float]:
    return asked.study.get_trials(deepcopy=False)[asked.number].intermediate_values


def test_a_run_that_is_no_trial_logs_as_ever() -> None:
    assert trial.watched(log_nothing, "val/accuracy", 3) is log_nothing
    assert trial.tags() == {}


def test_a_worse_trial_stops_after_the_first_epoch_that_may_stop_it(asked: optuna.Trial) -> None:
    logged = []
    log = trial.watched(lambda metrics, epoch: logged.append(epoch), "val/accuracy", 3)
    log({"val/accuracy": 0.1, "val/loss": 2.0}, 1)
    with pytest.raises(trial.TrialPruned) as caught:
        log({"val/accuracy": 0.2, "val/loss": 1.0}, 2)
    assert (caught.value.epoch, caught.value.value) == (2, 0.2)
    assert logged == [1, 2], "an epoch is logged before it is told"
    assert reports(asked) == {1: 0.1, 2: 0.2}
    assert asked.study.get_trials(deepcopy=False)[1].user_attrs["pruned_after_epoch"] == 2
    assert asked.study.get_trials(deepcopy=False)[1].state.name == "RUNNING", "the search tells how it ended"


def test_a_trial_that_has_only_its_end_before_it_is_not_stopped(asked: optuna.Trial) -> None:
    log = trial.watched(log_nothing, "val/accuracy", 3)
    log({"val/accuracy": 0.95}, 1)
    log({"val/accuracy": 0.95}, 2)
    log({"val/accuracy": 0.0}, 3)
    assert reports(asked) == {1: 0.95, 2: 0.95, 3: 0.0}


def test_an_epoch_is_told_once(asked: optuna.Trial, recwarn: pytest.WarningsRecorder) -> None:
    asked.report(0.95, 1)
    log = trial.watched(log_nothing, "val/accuracy", 3)
    log({"val/accuracy": 0.5}, 1)
    assert reports(asked) == {1: 0.95}
    assert not recwarn.list


def test_the_run_is_tagged_with_its_trial(asked: optuna.Trial) -> None:
    assert trial.tags() == {"study": "s", "trial": "1"}
