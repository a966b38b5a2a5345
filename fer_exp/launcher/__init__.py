"""Contract of a launcher: `build(*, ...) -> Launch`, which runs the jobs of a sweep, each in a process of its own.

Called by `dispatch` through `config.build`; chosen with `hydra/launcher=<option>`, its options are `hydra.launcher.*`.
A launcher decides where jobs run and how many at once. It must not know what they train, nor which are left out.
"""

import importlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fer_exp.process import Job, Outcome, cores

Begun = Callable[[Job], None]
"""Told of each job when it begins, or, where a cluster decides when that is, when it is handed over; by any thread."""

Launch = Callable[[Sequence[Job], Begun], Generator[Outcome, None, None]]
"""Yields the outcome of each job as it ends. Closing the iterator, or an exception in it, ends the jobs that run."""


def runs_here(node: Mapping[str, Any] | None) -> bool:
    """Tells whether jobs run on this machine, whose devices can be looked at before: an option says `RUNS_HERE`.

    Args:
        node: Of the launcher: `_target_` and its options; None for one of Hydra's own, which runs them in this process.
    """
    if node is None:
        return True
    module, _, _ = str(node["_target_"]).rpartition(".")
    return bool(getattr(importlib.import_module(module), "RUNS_HERE", False))


def share_cores(job: Job, jobs_at_once: int, of: int | None = None) -> Job:
    """Returns the job with its share of the threads, so that jobs side by side do not fight for cores.

    Args:
        job: Any; variables it sets itself win.
        jobs_at_once: How many share the machine, >= 1.
        of: Cores that are shared; None: those that this process may use.
    """
    threads = str(max(1, (of or cores()) // jobs_at_once))
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return replace(job, environment={**dict.fromkeys(names, threads), **job.environment})
