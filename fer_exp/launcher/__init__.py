"""Contract of a launcher: `build(*, ...) -> Launch`, which runs the jobs of a sweep, each in a process of its own.

Called by `dispatch` through `config.build`; chosen with `hydra/launcher=<option>`, its options are `hydra.launcher.*`.
A launcher decides where jobs run and how many at once. It must not know what they train, nor which are left out.
"""

import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from fer_exp.process import Job, Outcome

Launch = Callable[[Sequence[Job]], Generator[Outcome, None, None]]
"""Yields the outcome of each job as it ends. Closing the iterator, or an exception in it, ends the jobs that run."""


def share_cores(job: Job, jobs_at_once: int, cores: int | None = None) -> Job:
    """Returns the job with its share of the threads, so that jobs side by side do not fight for cores.

    Args:
        job: Any; variables it sets itself win.
        jobs_at_once: How many share the machine, >= 1.
        cores: Of the machine; None asks it.
    """
    threads = str(max(1, (cores or os.cpu_count() or 1) // jobs_at_once))
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return replace(job, environment={**dict.fromkeys(names, threads), **job.environment})
