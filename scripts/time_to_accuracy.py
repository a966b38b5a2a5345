"""Measures how many minutes a training on FER2013 takes to an accuracy, and writes its table in docs/benchmarks.md.

    python scripts/time_to_accuracy.py --data data/fer2013.csv.gz
    python scripts/time_to_accuracy.py --data data/fer2013.csv.gz --add epochs=6       other overrides
    python scripts/time_to_accuracy.py --list                                         the commands, without running them

Every training is a run of its own in MLflow (experiment `time_to_accuracy`); what is finished is not repeated.
PublicTest takes the place of the validation split, so that its accuracy is known after each epoch: the last epoch is
kept, and nothing is chosen by it. The tenth that would otherwise be validated on is left out of the training as ever.
Leave the machine alone meanwhile.
"""

from collections.abc import Sequence
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from benchmark import machine, measured
from benchmarks.cpu import of_machine
from claims import finished, interval, run_unless_finished
from document import replace_section
from mlflow.entities import Metric, Run
from rich.console import Console
from studies import measuring, with_seeds

from fer_exp.tracking import tracking_uri

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
EXPERIMENT = "time_to_accuracy"
GOALS = (60, 64, 67)  # per cent


def main() -> None:
    """Runs what is missing and writes what there is."""
    parser = measuring(__doc__, "runs")
    parser.add_argument("--add", nargs="+", default=[], metavar="override", help="of experiment=fer2013_quick")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="where the table goes")
    options = with_seeds(parser)
    uri, cpu, console = tracking_uri(options.uri), of_machine(), Console()
    if not (cpu.kind or options.list):
        parser.error(f"{options.document} has tables of AVX-512 and of AVX2. Received: {machine(cpu)}.")
    commands = [overrides(options.data, options.add, seed) for seed in range(options.seeds)]
    for words in commands:
        run_unless_finished(words, uri, EXPERIMENT, options.list, console)
    if not options.list:
        done, client = finished(uri, EXPERIMENT), mlflow.MlflowClient(uri)
        runs = [done[" ".join(words)] for words in commands]
        curves = [curve(run, client.get_metric_history(run.info.run_id, "val/accuracy")) for run in runs]
        command = f"python scripts/time_to_accuracy.py{' --add ' if options.add else ''}{' '.join(options.add)}"
        content = f"{measured(table(curves), command, cpu)}; {options.seeds} seeds"
        replace_section(options.document, cpu.place(EXPERIMENT), content)


def overrides(data: str, added: Sequence[str], seed: int) -> list[str]:
    """Returns the command line of one run."""
    return [
        "experiment=fer2013_quick", f"dataset.path={data}", "dataset.val=PublicTest", "dataset.test=0.1", *added,
        "export=none", f"tracking.experiment={EXPERIMENT}", f"seed={seed}",
    ]  # fmt: skip


def curve(run: Run, history: Sequence[Metric]) -> pd.Series:
    """Returns the accuracy on PublicTest, %, after each epoch, by the minutes since the command began to record."""
    minutes = [(metric.timestamp - run.info.start_time) / 60_000 for metric in history]
    return pd.Series([100 * metric.value for metric in history], minutes).sort_index()


def table(curves: Sequence[pd.Series]) -> pd.DataFrame:
    """Returns the minutes until each goal, and how it ended.

    Args:
        curves: Accuracy by minutes, one for each seed.
    """
    rows = []
    for goal in GOALS:
        reached = [found.index[found >= goal].min() for found in curves]
        times = [minutes for minutes in reached if not np.isnan(minutes)]
        told = f"{np.median(times):.1f} ({min(times):.1f}-{max(times):.1f})" if times else "-"
        rows.append((f"{goal} %", told, f"{len(times)} of {len(curves)}"))
    ends = np.array([found.iloc[-1] for found in curves])
    minutes = np.median([found.index[-1] for found in curves])
    rows.append((f"at the end: {interval(ends)} %", f"{minutes:.1f}", f"{len(curves)} of {len(curves)}"))
    return pd.DataFrame(rows, columns=["PublicTest", "minutes, median (fastest-slowest seed)", "seeds that reach it"])


if __name__ == "__main__":
    main()
