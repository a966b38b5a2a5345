"""A search for hyper-parameters: trials asked of Optuna, run by the launcher of the sweep, told back.

Called by the door in `hydra_plugins` that Hydra knows. The study is in a database, so the same command again goes on
with it: trials that a killed process left behind are tried again, and what is done counts. It must not know where
trials run, nor what they train.
"""

import math
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from fer_exp import sweeper
from fer_exp.errors import ConfigError, SweepError, UserError
from fer_exp.options import commandline, config, fingerprint
from fer_exp.run import owner
from fer_exp.run.hparams import search_report, search_space, study, trial
from fer_exp.run.hparams.search_space import Space
from fer_exp.sweeper import Search

Record = Callable[[Path, Mapping[str, Any]], None]
"""Takes a folder of files and some tags for the run that stands above the trials."""


@dataclass(frozen=True)
class _Opened:
    """A search that is under way: what it is told, what it searches, what it compares, where it keeps its trials."""

    search: Search
    space: Space
    metric: str
    epochs: int
    url: str
    study: optuna.Study


def run(
    cfg: DictConfig, loader: ConfigLoader, launcher: Launcher, arguments: Sequence[str], record: Record
) -> float | None:
    """Runs a search to its end.

    Args:
        cfg: The composed configuration of the multirun.
        loader: Hydra's, which composes the trials.
        launcher: Hydra's or ours, set up.
        arguments: Overrides of the command line, without those of Hydra.
        record: Takes the results.

    Returns:
        The best value; None if no trial was completed.

    Raises:
        ConfigError: If the search as a whole breaks a rule; nothing has run then.
        SweepError: If more trials failed than may.
    """
    folder = Path(str(cfg.hydra.sweep.dir)).absolute() / "search"  # asked for now: later jobs take over its time
    opened = _open(cfg, loader, arguments)
    done = opened.study
    _say(f"Study {done.study_name} in {opened.url}")
    for sentence in study.settle(done):
        _say(sentence)
    before = study.count(done)
    _say(f"{before} of {opened.search.n_trials} trials were done before, searching {', '.join(opened.space.searched)}")
    with trial.handed_on(opened.url, done.study_name, opened.search.pruner, opened.epochs):
        failures = _work(opened, launcher)
    sentences = search_report.write(folder, done, opened.space, opened.metric, _places(cfg))
    for sentence in [*sentences, f"Trials, pictures and the best command are in {folder}"]:
        _say(sentence)
    record(folder, {"study": done.study_name, "storage": opened.url})
    if len(failures) > _failures_allowed(opened.search):
        codes = {getattr(failure, "exit_code", 1) for failure in failures}
        raise SweepError(
            [
                *(f"{_first_line(failure)}" for failure in failures),
                f"{len(failures)} trials failed, more than hydra.sweeper.max_failure_rate="
                f"{opened.search.max_failure_rate:g} of hydra.sweeper.n_trials={opened.search.n_trials} allows. "
                "The same command again goes on with the others.",
            ],
            codes.pop() if len(codes) == 1 else 1,
        )
    return done.best_value if study.count(done, (TrialState.COMPLETE,)) else None


def _open(cfg: DictConfig, loader: ConfigLoader, arguments: Sequence[str]) -> _Opened:
    search = commandline.search_of(cfg)
    if search is None:
        raise ConfigError(["`hydra.sweeper.builder` must name the builder of a search: choose hydra/sweeper=optuna."])
    space = search_space.read(search.params, arguments, loader)
    first = [*space.fixed, *(f"{key}={values.probes()[0]}" for key, values in space.searched.items())]
    composed = loader.load_sweep_config(cfg, first)
    values = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    experiment = config.check(commandline.plain(values))
    if problems := list(sweeper.problems(search, space, experiment)):
        raise ConfigError(problems)
    metric, epochs = experiment.checkpoint.monitor, sweeper.longest(space, experiment)
    url = study.url_of(search.storage)
    storage = study.open_storage(url)
    name = search.study_name or _name(space, experiment)
    if experiment.resume == "never":
        name = study.free_name(storage, name)
    found = study.open_study(storage, name, metric, _distributions(space), sweeper.direction_of(metric))
    found.sampler = config.build(search.sampler, len(found.get_trials(deepcopy=False)))
    found.pruner = config.build(search.pruner, epochs)
    return _Opened(search, space, metric, epochs, url, found)


def _name(space: Space, experiment: config.Experiment) -> str:
    """Returns a name that two commands share if they search the same keys of the same experiment."""
    searched = {key: repr(values) for key, values in space.searched.items()}
    identity = fingerprint.of({**experiment.model_dump(), "search": searched})
    return f"{' '.join(searched)[:150]} {identity[:12]}"


def _distributions(space: Space) -> dict[str, Any]:
    return {key: study.distribution(values) for key, values in space.searched.items()}


def _work(opened: _Opened, launcher: Launcher) -> list[BaseException]:
    """Runs trials until there are enough; returns what went wrong with those that failed."""
    failures: list[BaseException] = []
    launched = 0
    while (missing := opened.search.n_trials - study.count(opened.study)) > 0:
        batch = _ask(opened, min(missing, opened.search.n_jobs))
        if not batch:
            continue
        overrides = [[*opened.space.overrides(asked.params), trial.override(asked.number)] for asked in batch]
        returns = launcher.launch(overrides, initial_job_idx=launched)
        launched += len(batch)
        for asked, returned in zip(batch, returns, strict=True):
            failures += _tell(opened, asked, returned)
        if len(failures) > _failures_allowed(opened.search):
            break
    return failures


def _ask(opened: _Opened, count: int) -> list[optuna.Trial]:
    """Returns new trials; one that another has tried before gets its result at once."""
    batch = []
    for _ in range(count):
        asked = opened.study.ask(_distributions(opened.space))
        for key, value in owner.mark().items():
            asked.set_user_attr(key, value)
        twin = study.twin(opened.study, asked)
        if twin is None:
            batch.append(asked)
            continue
        for epoch, measured in twin.intermediate_values.items():
            asked.report(measured, epoch)
        completed = twin.state == TrialState.COMPLETE
        opened.study.tell(asked, twin.value if completed else None, twin.state)
        _say(f"trial {asked.number}: the same values as trial {twin.number}, not run again")
    return batch


def _tell(opened: _Opened, asked: optuna.Trial, returned: JobReturn) -> list[BaseException]:
    """Tells the study how a trial ended; returns what was wrong if it failed."""
    current = opened.study
    if returned.status == JobStatus.FAILED:
        error = returned._return_value  # the property raises it, after printing all overrides
        current.tell(asked, state=TrialState.FAIL)
        _say(f"trial {asked.number} failed: {_first_line(error)}")
        if not isinstance(error, UserError):
            traceback.print_exception(error)
        return [error]
    after = current.get_trials(deepcopy=False)[asked.number].user_attrs.get(study.PRUNED_AFTER)
    value = float(returned.return_value)
    if after is not None or math.isnan(value):  # a launcher has no value for a job that was pruned in an earlier study
        current.tell(asked, state=TrialState.PRUNED)
        _say(f"trial {asked.number}: pruned after epoch {after}" if after else f"trial {asked.number}: pruned before")
    else:
        current.tell(asked, value)
        best = current.best_trial
        _say(f"trial {asked.number}: {opened.metric} {value:.4f}, best {best.value:.4f} of trial {best.number}")
    return []


def _failures_allowed(search: Search) -> float:
    return search.max_failure_rate * search.n_trials


def _places(cfg: DictConfig) -> list[str]:
    """Returns the options with which the command found configurations outside this package."""
    sources = {source.provider: source.path for source in cfg.hydra.runtime.config_sources}
    return [f"--config-dir={sources['command-line']}"] if "command-line" in sources else []


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _say(sentence: str) -> None:
    print(sentence, flush=True, file=sys.stdout)
