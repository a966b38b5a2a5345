"""Contenders side by side: each in a process of its own, running in turn, compared repetition by repetition.

A machine that is slow for a while is slow for all of them, so ratios within a repetition can be trusted where images a
second cannot.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.cpu import Cpu, of_machine

SCRIPTS = Path(__file__).parents[1]
# A contender gets what the user set. This process changes more: MLflow leaves its address in the environment, and
# `fer_exp`, once imported, its own defaults for TensorFlow, which plain Keras must not get.
AS_STARTED = dict(os.environ)


@dataclass(frozen=True)
class Entry:
    """One contender of a race.

    Attributes:
        name: As `contender.py` knows it.
        net: Network it trains.
        size: Side of the images inside the network, in pixels.
        batch: Images a step.
        alpha: Width of a MobileNet.
        threads: Threads within an operation; 0 leaves the library's choice.
        images: Images a stretch.
    """

    name: str
    net: str
    size: int = 48
    batch: int = 64
    alpha: float = 1.0
    threads: int = 0
    images: int = 1024

    def command(self) -> list[str]:
        """Returns the command line that starts it."""
        options = {"contender": self.name, "net": self.net, "size": self.size, "batch": self.batch, "alpha": self.alpha}
        options |= {"threads": self.threads, "images": self.images}
        return [sys.executable, "-m", "benchmarks.contender", *(f"--{key}={value}" for key, value in options.items())]


@dataclass(frozen=True)
class Effort:
    """How much is measured, and on what.

    Attributes:
        repetitions: Rounds of each comparison, >= 1.
        log: File for what contenders print.
        quick: Only show that everything works: one step a stretch, numbers without meaning.
        cpu: The processor, and what contenders may use of it.
        batch: The one batch size of races that have several; None for all of them.
    """

    repetitions: int
    log: Path
    quick: bool = False
    cpu: Cpu = field(default_factory=of_machine)
    batch: int | None = None


def run(entries: Sequence[Entry], effort: Effort) -> np.ndarray:
    """Returns images a second, (repetitions, contenders).

    Args:
        entries: The contenders, at least one.
        effort: In each round every contender runs one stretch, beginning with another one each time.

    Raises:
        RuntimeError: If a contender does not start or dies; the log tells why.
    """
    rates = np.empty((effort.repetitions, len(entries)))
    with ExitStack() as stack:
        errors = stack.enter_context(effort.log.open("a"))
        processes = []
        for entry in entries:
            command = (replace(entry, images=entry.batch) if effort.quick else entry).command()
            process = subprocess.Popen(
                [*command, *(["--as-avx2"] if effort.cpu.as_avx2 else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment(),
            )
            stack.callback(_end, process)
            processes.append(process)
            _expect_answer(process, entry, effort.log)  # one after the other: warming up is work too
        for repetition in range(effort.repetitions):
            for index in np.roll(np.arange(len(entries)), repetition):
                process = processes[index]
                process.stdin.write("go\n")
                process.stdin.flush()
                found = json.loads(_expect_answer(process, entries[index], effort.log))
                rates[repetition, index] = found["images"] / found["seconds"]
    return rates


def environment() -> dict[str, str]:
    """Returns the environment in which `benchmarks` can be imported."""
    path = [str(SCRIPTS), *filter(None, [AS_STARTED.get("PYTHONPATH")])]
    return {**AS_STARTED, "PYTHONPATH": os.pathsep.join(path), "TF_CPP_MIN_LOG_LEVEL": "2"}


def table(entries: Sequence[Entry], rates: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """Returns a row for each contender: median images a second, and the median ratio of the first one to it."""
    ratios = np.median(rates[:, :1] / rates, axis=0)
    spread = np.percentile(rates[:, :1] / rates, [25, 75], axis=0)
    return pd.DataFrame(
        {
            "contender": list(labels),
            "batch": [entry.batch for entry in entries],
            "images/s": np.median(rates, axis=0).round().astype(int),
            f"{labels[0]} is faster by": [f"{ratio:.2f}x" for ratio in ratios],
            "middle half": [f"{low:.2f}-{high:.2f}" for low, high in spread.T],
        }
    )


def _expect_answer(process: subprocess.Popen, entry: Entry, log: Path) -> str:
    line = process.stdout.readline()
    if not line:
        code, last = process.wait(), log.read_text(errors="replace").rstrip().rpartition("\n")[2]
        raise RuntimeError(f"The contender {entry.name} ended with code {code}; see {log}, which ends: {last}")
    return line


def _end(process: subprocess.Popen) -> None:
    process.stdin.close()
    process.wait(timeout=60)
