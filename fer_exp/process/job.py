"""A job: what is to be run, how it ended, and what it says to the process that started it.

Called by the launchers and `running` on one side, by the job on the other.

A job holds the reading end of a pipe from its starter as its standard input. When the starter is gone, be it by
SIGKILL, that pipe ends, and the job ends itself as if it had been told to: nothing runs on that nobody waits for.
"""

import json
import math
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
RESULT_ENV = "FER_EXP_RESULT"  # names the file that a job leaves its result in
OWN_PREFIXES = ("FER_EXP_", "MLFLOW_")  # of variables that differ from job to job; nothing reads them while importing


@dataclass(frozen=True)
class Job:
    """What is to be run.

    Attributes:
        number: Of the job in its sweep, from 0.
        name: What tells it from the others, for people.
        arguments: Of `python -m fer_exp`.
        folder: Working directory.
        log: File that takes what the job prints; None leaves it on the terminal.
        environment: Variables to set, also where the job runs on another machine.
    """

    number: int
    name: str
    arguments: Sequence[str]
    folder: Path
    log: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        number: Of the job.
        name: Of the job.
        exit_code: 0 if it did what it should; negative is the signal that ended it.
        value: The monitored metric at the kept epoch; NaN if there is none.
        error: What it said was wrong; empty if nothing.
        seconds: From start to end.
    """

    number: int
    name: str
    exit_code: int
    value: float
    error: str
    seconds: float


@dataclass(frozen=True)
class Command:
    """`python -m <module> <arguments>`, in a folder and an environment.

    Attributes:
        module: What is run.
        arguments: Its arguments.
        folder: Working directory, where `python -m` looks for modules first.
        environment: All its variables.
    """

    module: str
    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]

    @property
    def read_by_imports(self) -> dict[str, str]:
        """The variables that imports may read: what was imported with others is not what this command needs."""
        return {name: value for name, value in self.environment.items() if not name.startswith(OWN_PREFIXES)}


class Started(Protocol):
    """A process that runs a job, however it came to be."""

    def poll(self) -> int | None:
        """Returns the exit code, negative for a signal that ended it; None while it runs."""

    def send_signal(self, number: int, /) -> None:
        """Sends it a signal, unless it has ended."""

    def close(self) -> None:
        """Lets go of its standard input and of whatever else was held for it; it has ended."""


def failed(job: Job, error: str, exit_code: int = 1) -> Outcome:
    """Returns the outcome of a job that did not come to say anything itself."""
    return Outcome(job.number, job.name, exit_code, math.nan, error, 0.0)


def is_job() -> bool:
    """Tells whether this process is a job of a sweep."""
    return RESULT_ENV in os.environ


def end_with_starter() -> None:
    """Lets this process end itself, as by SIGTERM, once the process that started it as a job is gone."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1024):  # not through a buffer: the interpreter would wait for its lock
            pass
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)  # wakes it if it sleeps

    threading.Thread(target=wait, daemon=True, name="end-with-starter").start()


def say(**result: float | str) -> None:
    """Leaves a result for the starter, if this process is a job.

    Args:
        **result: `value` or `error`, as in `Outcome`.
    """
    if is_job():
        Path(os.environ[RESULT_ENV]).write_text(json.dumps(result), encoding="utf-8")


def cores(quota: Path = _QUOTA) -> int:
    """Returns how many cores this process may use: what a scheduler, `taskset` or a container leaves it, >= 1.

    Args:
        quota: Where Linux says how much time of all cores the process may have; elsewhere there is no such file.
    """
    may_use = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        share, period = quota.read_text(encoding="ascii").split()
        return max(1, min(may_use, math.ceil(int(share) / int(period))))
    except (OSError, ValueError):  # no such file, or `max`
        return may_use
