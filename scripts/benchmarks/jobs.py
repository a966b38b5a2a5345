"""What a run costs beside its training: from its last epoch to the end, and as a job of a sweep."""

import itertools
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.race import Effort, environment

# Two batches of each split and no export: evaluation takes a fraction of a second.
SMALL = ("debug=fast", "export=none", "epochs=1")
JOBS = 4
# What a sweep says when a job ends, and how a job begins to show its configuration.
ENDED, CONFIGURED = re.compile(r"\[\d+/\d+\] job \d+ ended: "), "  dataset="


def jobs(effort: Effort) -> pd.DataFrame:
    """Seconds of a run of two batches, of its part after the last epoch, and of such a run as a job of a sweep."""
    found: dict[str, list[float]] = {}

    def note(what: str, seconds: float) -> None:
        found.setdefault(what, []).append(seconds)

    new = itertools.count(100)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _timed(folder, effort.log, *SMALL, "seed=99")  # the data are drawn, the database is made
        for repetition in range(effort.repetitions):
            lines = _timed(folder, effort.log, *SMALL, f"seed={repetition}")
            note("a run of two batches", lines[-1][0])
            note("of it: after its last epoch", lines[-1][0] - _first(lines, "epoch   1/1"))
            for how in ("spawn", "forkserver"):
                seeds = ",".join(str(next(new)) for _ in range(JOBS))  # what is finished would be left out
                words = ("-m", f"seed={seeds}", f"hydra.launcher.start_method={how}")
                lines = _timed(folder, effort.log, *words, *SMALL)
                ends = [seconds for seconds, line in lines if ENDED.match(line)]
                began = [seconds for seconds, line in lines if line.startswith(CONFIGURED)]
                note(f"a job of a sweep, {how}", float(np.median(np.diff(ends))))
                note(f"of it: until its configuration is on the screen, {how}",
                     float(np.median(np.subtract(began[1:], ends[:-1]))))  # fmt: skip
    return pd.DataFrame(
        {"what": list(found), "seconds (median)": [round(float(np.median(seconds)), 2) for seconds in found.values()]}
    )


def _timed(folder: Path, log: Path, *overrides: str) -> Sequence[tuple[float, str]]:
    """Runs the main program; returns when each line came, in seconds from the start, and last when it ended.

    Raises:
        RuntimeError: If it does not end well.
    """
    command = [sys.executable, "-u", "-m", "fer_exp", *overrides, f"cache_dir={folder}/cache"]
    began, lines = time.perf_counter(), []
    with log.open("a") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        for line in process.stdout or ():
            errors.write(line)
            lines.append((time.perf_counter() - began, line))
    if process.wait():
        raise RuntimeError(f"`{' '.join(command)}` ended with code {process.returncode}; see {log}.")
    return [*lines, (time.perf_counter() - began, "")]


def _first(lines: Sequence[tuple[float, str]], beginning: str) -> float:
    return next(seconds for seconds, line in lines if line.startswith(beginning))
