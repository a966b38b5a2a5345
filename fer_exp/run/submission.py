"""Jobs handed to submitit, which runs them here or through Slurm.

Called by the launchers that use it. It must not know a cluster's options.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fer_exp.errors import ConfigError
from fer_exp.process import Job, Outcome, credentials, failed, run

if TYPE_CHECKING:
    import submitit

_POLL_SECONDS = 0.5


def require_submitit() -> None:
    """Looks for the package before anything runs.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        import submitit  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            ["`hydra/launcher` submitit needs the package submitit: pip install 'fer-exp[slurm]'."]
        ) from error


def submitted(
    executor: "submitit.Executor", jobs: Sequence[Job], begun: Callable[[Job], None], at_once: int | None
) -> Iterator[Outcome]:
    """Yields the outcome of each job as it ends; what still runs when the iterator is closed is cancelled.

    Args:
        executor: Of the cluster.
        jobs: What to run.
        begun: Told of each job that is handed over.
        at_once: Most jobs that are handed over at a time; None hands over all, as one array.
    """
    # Submitit writes jobs to a disk; passwords reach them through the environment, which it hands on as well.
    waiting = [
        replace(job, environment={n: v for n, v in job.environment.items() if n not in credentials.VARIABLES})
        for job in jobs
    ]
    running: dict[submitit.Job[Outcome], Job] = {}
    try:
        if at_once is None:
            running = dict(zip(executor.map_array(run, waiting), waiting, strict=True)) if waiting else {}
            for job in waiting:
                begun(job)
            waiting = []
        while waiting or running:
            while waiting and len(running) < (at_once or 1):
                job = waiting.pop(0)
                running[executor.submit(run, job)] = job
                begun(job)
            for task in [task for task in running if task.done()]:
                yield _outcome(task, running.pop(task))
            time.sleep(_POLL_SECONDS)
    finally:
        for task in running:
            task.cancel(check=False)


def _outcome(task: "submitit.Job[Outcome]", job: Job) -> Outcome:
    error = task.exception()
    if error is None:
        return task.result()
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return failed(job, f"the cluster reports: {lines[-1]}; see {task.paths.stderr}")
