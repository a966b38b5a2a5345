"""One job of a sweep as a process of its own: started, watched, ended; and what it says to the one that started it.

Called by the launchers on one side and by `__main__` on the other. A process gives all its memory back, which
TensorFlow does not, and what breaks in it breaks nothing else. It must not know what a job trains.

The process holds the reading end of a pipe from its starter as its standard input. When the starter is gone, be it by
SIGKILL, that pipe ends, and the job ends itself as if it had been told to: nothing runs on that nobody waits for.
"""

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

RESULT_ENV = "FER_EXP_RESULT"  # names the file that a job leaves its result in
_GRACE_SECONDS = 60.0  # a step, the end of the run in the tracker
_POLL_SECONDS = 0.1


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


def run(job: Job, stop: threading.Event | None = None) -> Outcome:
    """Runs a job and waits for its end.

    Args:
        job: What to run.
        stop: Ends the job early when it is set; the job has a minute to close its run.

    Raises:
        BaseException: What interrupts the waiting; the job is ended first.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fer_exp-") as own, job.log.open("ab") if job.log else nullcontext() as log:
        result = Path(own) / "result.json"
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "fer_exp", *job.arguments],
            cwd=job.folder,
            env={**os.environ, **job.environment, RESULT_ENV: str(result)},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log and subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the starter, which ends its jobs once and in order
        )
        try:
            while process.poll() is None and not (stop and stop.is_set()):
                time.sleep(_POLL_SECONDS)
        finally:
            _end(process)
        said = json.loads(result.read_text(encoding="utf-8")) if result.is_file() else {}
    code = process.returncode
    value = float(said.get("value", math.nan))
    return Outcome(job.number, job.name, code, value, _error(code, said, job.log), time.monotonic() - began)


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


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _error(code: int, said: Mapping[str, str], log: Path | None) -> str:
    if code == 0:
        return ""
    if "error" in said:
        return said["error"]
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"exit code {code}" + (f"; see {log}" if log else "")


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
