"""The command line: refuse bad input at once, then hand over to Hydra.

`python -m fer_exp` and the console script `fer-exp` are the same. TensorFlow and MLflow are imported only once a run
really starts, so that help, a printed configuration and a mistake answer within two seconds.
"""

import gc
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from fer_exp import launcher, process, tracking
from fer_exp.errors import ConfigError, StorageError, UserError
from fer_exp.fit import cluster
from fer_exp.options import commandline, config
from fer_exp.process import credentials, folders
from fer_exp.reporting import command, console
from fer_exp.run import reproduction

if TYPE_CHECKING:
    from fer_exp.run.reproduction.request import Source


@hydra.main(config_path=str(config.CONF), config_name="config", version_base="1.3")
def job(cfg: DictConfig) -> float:
    """Runs one composed configuration, as Hydra's task function."""
    experiment = config.check(commandline.plain(cfg))
    hydra_config = HydraConfig.get()
    screen = console.opened(experiment.model_dump())
    overrides, folder = list(hydra_config.overrides.task), Path(hydra_config.runtime.output_dir)
    try:
        with console.waiting(screen, f"reading the data set {experiment.option('dataset')}"):
            from fer_exp.data import loading

            splits = loading.load(experiment)
        with console.waiting(screen, "loading TensorFlow and MLflow"):
            from fer_exp.run.experiment import run
        value = run(experiment, overrides, folder, reproduction.current(), screen, splits)
    except UserError as error:
        if hydra_config.mode == RunMode.RUN:  # past Hydra, which would say of any exception that the job failed
            command.fail(str(error), error.exit_code)
        raise
    process.say(value=value)
    return value


@command.framed
def main() -> int | None:
    """Runs the command line; exits with 0, 1 (a defect), 2, 3 or 4 (a user's error), 130 or 143 (interrupted).

    A run whose result waits in its outbox has ended well: 0. A sweep whose leaderboard does has not: 2. `reproduce=`
    exits with 1 too if the numbers differ.
    """
    # Hydra would print stack traces for a user's mistake and end the process itself; the frame sorts errors out.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    if process.is_job():
        process.end_with_starter()
    sys.argv[1:] = commandline.with_home(credentials.arguments())  # which Hydra reads, and records
    _check_working_directory()
    try:
        return _run()
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError([commandline.explained(error)]) from error


def _run() -> int | None:
    """Does what the command line asks for, and returns the exit code, if there is something to tell by it."""
    source = _reproduced()
    jobs = commandline.check(sys.argv[1:])
    if jobs is not None:
        sys.argv[1:] = jobs.arguments
        if not process.is_job() and not _is_follower(jobs):  # what starts a job has looked, and the chief looks
            _look_ahead(jobs)
    if _is_follower(jobs):
        from fer_exp.run.experiment import follow

        follow(jobs.first)
        return None
    with _sweep(jobs), reproduction.of(source), console.beside(jobs.defaults if jobs else {}):
        job()
    gc.freeze()  # the interpreter would look at all objects once more before it ends
    return None if source is None else source.exit_code


def _check_working_directory() -> None:
    """Refuses a working directory that nothing can be run in."""
    try:
        folder = os.getcwd()
    except OSError as error:
        raise StorageError(f"The working directory is gone ({error.strerror}): change into another.") from error
    if "${" in folder:
        raise ConfigError(
            [f"The working directory must not have `${{` in its name: Hydra looks up what follows. Received: {folder}."]
        )


def _look_ahead(jobs: commandline.Jobs) -> None:
    """Refuses at once what would otherwise fail after minutes: a folder, a device, a server, files of data, a run.

    Raises:
        UserError: If something is certainly not there; what only trying can tell is left to the jobs.
    """
    around = commandline.surroundings(jobs.arguments)
    if around.folder is not None and (objection := folders.objection(around.folder)):
        key = "hydra.sweep.dir" if jobs.multirun else "hydra.run.dir"
        raise StorageError(
            f"`{key}` must be a folder that can be made and written: {objection}. Received: {around.folder}. "
            f"Name another with {key}=<folder>."
        )
    tracking.glance(jobs.first.tracking)
    if not jobs.multirun or launcher.runs_here(jobs.launcher):
        for strategy in _each(jobs, "strategy"):
            config.glance(strategy, around.environment)
    for dataset in _each(jobs, "dataset"):
        config.glance(dataset)
    named = dict.fromkeys(name for experiment in jobs.experiments for name in config.run_ids(experiment))
    if jobs.multirun:  # whose `resume` must not name a run at all, as `sweep` says
        named = {(key, run_id): None for key, run_id in named if key != "resume"}
    if named:
        from fer_exp.record import store

        store.require_runs(jobs.first.tracking, list(named))


def _each(jobs: commandline.Jobs, group: str) -> list[dict[str, Any]]:
    """Returns each configuration of a group that jobs have."""
    found: list[dict[str, Any]] = []
    for experiment in jobs.experiments:
        node = getattr(experiment, group)
        if node not in found:
            found.append(node)
    return found


def _reproduced() -> "Source | None":
    """Returns the run to repeat, if that is asked for, and puts the command line that does it in the place of this."""
    if not reproduction.is_asked(sys.argv[1:]):
        return None
    from fer_exp.run.reproduction import request

    source = request.read(sys.argv[1:])
    sys.argv[1:] = source.overrides
    return source


def _is_follower(jobs: commandline.Jobs | None) -> TypeGuard[commandline.Jobs]:
    """Tells whether another process of a cluster keeps the records of this run."""
    if jobs is None or jobs.first.option("strategy") != "multi_worker":
        return False
    return not cluster.place(os.environ).chief


def _sweep(jobs: commandline.Jobs | None) -> AbstractContextManager[None]:
    if jobs is None or not jobs.multirun:
        return nullcontext()
    if jobs.search is not None:
        from fer_exp.run.hparams import study

        study.open_storage(study.url_of(jobs.search.storage))  # refuses one that cannot be used before a run is opened
    from fer_exp.run.sweep import parent

    return parent(jobs)


if __name__ == "__main__":
    main()
