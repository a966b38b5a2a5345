"""How long it takes from a command to its answer or its first training step, beside a script in plain Keras."""

import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.race import Effort, environment
from benchmarks.samples import ROWS_OF_FER2013, write_csv

PLAIN = "first training step: a script in plain Keras"


@dataclass(frozen=True)
class Start:
    """A command whose wall time is measured.

    Attributes:
        what: Row of the table.
        words: What Python is given.
        home: Folder that it runs in, made if there is none.
        trains: Whether it goes on to the first training step. A run is `fer_exp`'s, and gets a seed of its own:
            it is broken off, and the next one of the same configuration would go on with it.
        forgets: Folder that is deleted before.
        code: With which the command ends if all is well.
    """

    what: str
    words: Sequence[str]
    home: Path
    trains: bool = False
    forgets: Path | None = None
    code: int = 0


def startup(effort: Effort) -> pd.DataFrame:
    """Seconds from the command to the answer or the end of the first training step."""
    with tempfile.TemporaryDirectory() as name:
        folder, seeds = Path(name), itertools.count()
        starts = _starts(folder)
        for start in starts:
            if start.trains and not effort.quick:  # databases and caches are there, except where one is deleted
                _seconds(start, seeds, effort.log)
        seconds = np.empty((effort.repetitions, len(starts)))
        for repetition in range(effort.repetitions):
            for index in np.roll(np.arange(len(starts)), repetition):
                seconds[repetition, index] = _seconds(starts[index], seeds, effort.log)
    plain = [start.what for start in starts].index(PLAIN)
    ratios = np.median(seconds / seconds[:, [plain]], axis=0)
    steps = [start.trains or start.what == PLAIN for start in starts]
    return pd.DataFrame(
        {
            "what": [start.what for start in starts],
            "seconds (median)": np.median(seconds, axis=0).round(2),
            "of plain Keras": [f"{ratio:.2f}x" if step else "" for ratio, step in zip(ratios, steps, strict=True)],
        }
    )


def _starts(folder: Path) -> list[Start]:
    csv = write_csv(folder / "fer2013.csv", ROWS_OF_FER2013)
    data = ["dataset=fer2013", f"dataset.path={csv}", "dataset.val=0.1", "dataset.test=0.1"]

    def first_step(of: str, name: str, *overrides: str, forgets: str | None = None) -> Start:
        cache, home = folder / name / "cache", folder / name / "home"
        own = [f"cache_dir={cache}", f"tracking.uri=sqlite:///{home}/mlflow.db"]
        gone = None if forgets is None else folder / name / forgets
        return Start(f"first training step: {of}", ["-m", "benchmarks.first_step", *overrides, *own], home, True, gone)

    return [
        Start("--help", ["-m", "fer_exp", "--help"], folder),
        Start("a mistake in the command", ["-m", "fer_exp", "modle=cnn"], folder, code=2),
        Start(PLAIN, ["-m", "benchmarks.keras_first_step"], folder),
        first_step("python -m fer_exp", "used"),
        first_step("the same in a new folder, which has no database yet", "moved", forgets="home"),
        first_step("the same, nothing ever run before", "new", forgets="."),
        first_step("csv of FER2013, not read before", "csv", *data, forgets="cache"),
        first_step("csv of FER2013, read before", "csv", *data),
    ]


def _seconds(start: Start, seeds: Iterator[int], log: Path) -> float:
    """Runs a command and returns its wall time.

    Raises:
        RuntimeError: If it does not end as it should.
    """
    if start.forgets is not None:
        shutil.rmtree(start.forgets, ignore_errors=True)
    start.home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, *start.words, *([f"seed={next(seeds)}"] if start.trains else [])]
    with log.open("a") as errors:
        began = time.perf_counter()
        done = subprocess.run(command, cwd=start.home, env=environment(), stdout=errors, stderr=errors, check=False)
        seconds = time.perf_counter() - began
    if done.returncode != start.code:
        raise RuntimeError(f"`{' '.join(command)}` ended with code {done.returncode}, not {start.code}; see {log}.")
    return seconds
