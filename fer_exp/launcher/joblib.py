"""Several jobs at once on this machine, each in a process of its own, threads divided among them."""

import queue
import threading
from collections.abc import Generator, Sequence
from typing import Literal

from fer_exp.launcher import Begun, Launch, share_cores
from fer_exp.process import Job, Outcome, StartMethod, cores, run
from fer_exp.signature import Threads

RUNS_HERE = True


def build(*, n_jobs: Threads | Literal[-1], start_method: StartMethod) -> Launch:
    """Builds the launcher.

    Args:
        n_jobs: Jobs at once, 1-4096; -1 as many as there are cores that this process may use. Each gets its share of
            the threads even when fewer jobs are left than that: the number of threads changes the last bits of a
            training.
        start_method: forkserver (a job is forked from a process that has imported TensorFlow and MLflow, on Linux) or
            spawn (a new interpreter for each job).
    """

    def launch(jobs: Sequence[Job], begun: Begun) -> Generator[Outcome, None, None]:
        at_once = n_jobs if n_jobs > 0 else cores()
        stop = threading.Event()
        ended: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()
        how = (begun, at_once, start_method)
        dispatcher = threading.Thread(target=_dispatch, args=(jobs, *how, stop, ended), name="launcher")
        dispatcher.start()
        try:
            while (outcome := ended.get()) is not None:
                if isinstance(outcome, BaseException):
                    raise outcome
                yield outcome
        finally:
            stop.set()
            dispatcher.join()

    return launch


def _dispatch(
    jobs: Sequence[Job],
    begun: Begun,
    at_once: int,
    start_method: StartMethod,
    stop: threading.Event,
    ended: "queue.SimpleQueue[Outcome | BaseException | None]",
) -> None:
    """Works the jobs off; a thread of its own, so that a signal finds the main thread ready to stop them."""
    from joblib import Parallel, delayed

    def one(job: Job) -> None:
        if not stop.is_set():
            begun(job)
            ended.put(run(share_cores(job, at_once), stop, start_method))

    try:
        Parallel(n_jobs=at_once, backend="threading")(delayed(one)(job) for job in jobs)
    except BaseException as error:  # raised again where the outcomes are read
        ended.put(error)
    ended.put(None)
