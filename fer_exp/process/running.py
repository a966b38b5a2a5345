"""One job from start to end: started, watched, ended in order.

Called by the launchers. How the process of a job comes to be is in `cold` and `forkserver`.
"""

import json
import math
import os
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

from fer_exp.process import forkserver, temporary
from fer_exp.process.cold import Cold
from fer_exp.process.job import RESULT_ENV, Command, Job, Outcome, Started

StartMethod = Literal["forkserver", "spawn"]

_GRACE_SECONDS = 60.0  # a step, the end of the run in the tracker
_POLL_SECONDS = 0.05
_TERMINAL = (1, 2)  # this process' own output and errors


def run(job: Job, stop: threading.Event | None = None, start_method: StartMethod = "spawn") -> Outcome:
    """Runs a job and waits for its end.

    Args:
        job: What to run.
        stop: Ends the job early when it is set; the job has a minute to close its run.
        start_method: `forkserver` forks it from a process that has imported TensorFlow and MLflow; where that cannot be
            done, it is started as by `spawn`, a new interpreter, and one line says why.

    Raises:
        OSError: If no process can be started.
        BaseException: What interrupts the waiting; the job is ended first.
    """
    began = time.monotonic()
    with temporary.folder("job") as own, job.log.open("ab") if job.log else nullcontext() as log:
        result = own / "result.json"
        environment = {**os.environ, **job.environment, RESULT_ENV: str(result)}
        command = Command("fer_exp", list(job.arguments), job.folder, environment)
        outputs = (log.fileno(), log.fileno()) if log else _TERMINAL
        process = _start(job.number, command, outputs, start_method)
        try:
            while process.poll() is None and not (stop and stop.is_set()):
                time.sleep(_POLL_SECONDS)
        finally:
            code = _end(process)
        said = json.loads(result.read_text(encoding="utf-8")) if result.is_file() else {}
    value = float(said.get("value", math.nan))
    return Outcome(job.number, job.name, code, value, _error(code, said, job.log), time.monotonic() - began)


def _start(number: int, command: Command, outputs: tuple[int, int], start_method: StartMethod) -> Started:
    if start_method == "forkserver":
        try:
            return forkserver.fork(command, outputs)
        except forkserver.CannotForkError as error:
            print(f"job {number} starts in a new interpreter: {error}", flush=True)
    return Cold(command, outputs)


def _end(process: Started) -> int:
    """Ends the process if it has not ended, and returns its exit code."""
    deadline = time.monotonic() + _GRACE_SECONDS
    try:
        process.send_signal(signal.SIGTERM)
        while (code := process.poll()) is None:
            if time.monotonic() > deadline:
                process.send_signal(signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
        return code
    finally:
        process.close()


def _error(code: int, said: Mapping[str, str], log: Path | None) -> str:
    if code == 0:
        return ""
    if "error" in said:
        return said["error"]
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"exit code {code}" + (f"; see {log}" if log else "")
