"""Kills jobs, the launcher and the tracking server of a sweep at random, then asks whether anything was lost.

    python scripts/kill_at_random.py                        ten minutes, SQLite behind the server
    python scripts/kill_at_random.py --backend postgresql   PostgreSQL behind it, started here for the occasion
    python scripts/kill_at_random.py --minutes 0 --jobs 24 --at-once 4    no killing: are many writers safe?
    python scripts/kill_at_random.py --minutes 1 --no-write

A sweep of small jobs on the built-in data set runs against a real `mlflow server`. Every few seconds something is
killed: a job (SIGKILL), the launcher (SIGKILL, SIGTERM or SIGINT), the server (SIGKILL; it comes back some seconds
later). Whenever the command of the sweep has ended it is given again, as a person would; a complete sweep is followed
by the next. When the time is up the last sweep is completed undisturbed. Then every job must be there once, FINISHED,
with each epoch once, its test metrics and its artifacts, and with the numbers of an undisturbed run to the last bit.

All servers listen on loopback alone, and nothing but the script's own processes is killed.
"""

import argparse
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
import pandas as pd
import psutil
from document import markdown, replace_section
from rich.console import Console
from servers import Server, mlflow_server, postgresql

from fer_exp import process
from fer_exp.launcher import share_cores
from fer_exp.process import Job

DOCUMENT = Path(__file__).parents[1] / "docs" / "reliability.md"
EPOCHS = 6
JOB = (
    "model.widths=[8,8]", "model.head_units=16", "dataset.train_size=700", "dataset.val_size=140",
    "dataset.test_size=140", f"epochs={EPOCHS}", "early_stopping=null", "deterministic=true", "optimizer=adamw",
    "optimizer.ema_momentum=0.9", "export=none", "tracking.system_metrics=false",
)  # fmt: skip
ARTIFACTS = ("tables/predictions.csv", "figures/confusion_matrix_counts.png", "console.txt", "config/resolved.yaml")
_ATTEMPTS_AT_THE_END = 5
_MOST_SECONDS_OF_A_COMMAND = 600


@dataclass
class Record:
    """What was done to the sweeps."""

    kills: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)


def main() -> None:
    """Runs the trial; exits with 1 if anything was lost, missing or there twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="how long to kill, 0 to 60")
    parser.add_argument("--jobs", type=int, default=12, help="jobs of a sweep")
    parser.add_argument("--at-once", type=int, default=2, help="jobs at a time")
    parser.add_argument("--backend", choices=["sqlite", "postgresql"], default="sqlite", help="behind the server")
    parser.add_argument("--seed", type=int, default=0, help="of what is killed when")
    parser.add_argument("--no-write", action="store_true", help="leave docs/reliability.md as it is")
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    options = parser.parse_args()
    if not 0 <= options.minutes <= 60:
        parser.error(f"--minutes must be between 0 and 60. Received: {options.minutes:g}.")
    console = Console()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background, and below
    with tempfile.TemporaryDirectory(prefix="fer_exp-kill-") as name, ExitStack() as stack:
        folder = Path(name)
        database = None if options.backend == "sqlite" else stack.enter_context(postgresql())
        server = stack.enter_context(mlflow_server(folder / "server", database))
        record, sweeps = disturb(folder, server, options, console)
        findings = verify(folder, server.uri, sweeps, options.jobs, options.at_once, console)
    table = report(options, record, sweeps, findings)
    console.print(markdown(table), highlight=False, soft_wrap=True)
    for finding in findings:
        console.print(f"lost: {finding}", style="red", soft_wrap=True)
    if not options.no_write:
        command = f"`python scripts/kill_at_random.py {shlex.join(sys.argv[1:])}`".replace(" `", "`")
        section = f"{'kill' if options.minutes else 'write'}_{options.backend}"
        replace_section(options.document, section, f"{markdown(table)}\n\n{command}")
    sys.exit(1 if findings else 0)


def disturb(folder: Path, server: Server, options: argparse.Namespace, console: Console) -> tuple[Record, int]:
    """Kills at random until the time is up, then completes what was begun; returns what was done, and the sweeps."""
    choose = random.Random(options.seed)  # noqa: S311
    record, sweeps = Record(), 1
    deadline = time.monotonic() + 60 * options.minutes
    launcher = start(folder, server.uri, sweeps - 1, options)
    while time.monotonic() < deadline:
        time.sleep(choose.uniform(8, 30))  # a job needs ten seconds before its first epoch
        if launcher.poll() is not None:
            record.commands[f"ended with {launcher.returncode}"] += 1
            sweeps += launcher.returncode == 0
            launcher = start(folder, server.uri, sweeps - 1, options)
        else:
            kill(choose, launcher, server, record, console)
    server.start()
    for _ in range(_ATTEMPTS_AT_THE_END):
        launcher.wait(_MOST_SECONDS_OF_A_COMMAND)
        record.commands[f"ended with {launcher.returncode}"] += 1
        if launcher.returncode == 0:
            break
        launcher = start(folder, server.uri, sweeps - 1, options)
    subprocess.run([sys.executable, "-m", "fer_exp.sync"], cwd=folder, env=environment(server.uri), check=False)
    return record, sweeps


def kill(
    choose: random.Random, launcher: "subprocess.Popen[bytes]", server: Server, record: Record, console: Console
) -> None:
    """Kills one thing."""
    victim = choose.choices(["job", "launcher", "server"], [5, 2, 2])[0]
    if victim == "server":
        server.kill()
        away = choose.uniform(0, 15)
        console.print(f"server killed, away for {away:.0f} s", highlight=False)
        time.sleep(away)
        server.start()
    elif victim == "launcher":
        number = choose.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
        launcher.send_signal(number)
        launcher.wait(120)
        console.print(f"launcher ended by {number.name}", highlight=False)
        victim = f"launcher, {number.name}"
    else:
        jobs = psutil.Process(launcher.pid).children()
        if not jobs:
            return
        job = choose.choice(jobs)
        job.kill()
        console.print(f"job {job.pid} killed", highlight=False)
    record.kills[victim] += 1


def start(folder: Path, uri: str, sweep: int, options: argparse.Namespace) -> "subprocess.Popen[bytes]":
    """Gives the command of a sweep, the same for every attempt at it."""
    seeds = f"seed=range({sweep * options.jobs},{(sweep + 1) * options.jobs})"
    launcher = ("hydra/launcher=joblib", f"hydra.launcher.n_jobs={options.at_once}")
    with (folder / "commands.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "fer_exp", "-m", *launcher, seeds, *JOB],
            cwd=folder, env=environment(uri), stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def environment(uri: str) -> dict[str, str]:
    """Returns the environment of the commands."""
    return {**os.environ, "MLFLOW_TRACKING_URI": uri, "TF_CPP_MIN_LOG_LEVEL": "3"}


def verify(folder: Path, uri: str, sweeps: int, jobs: int, at_once: int, console: Console) -> list[str]:
    """Returns what is missing, there twice or wrong."""
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("fer_exp")
    runs = client.search_runs([experiment.experiment_id], max_results=5000)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    findings = [] if len(parents) == sweeps else [f"{len(parents)} parents instead of {sweeps}"]
    findings += [f"run {run.info.run_id} is {run.info.status}" for run in runs if run.info.status != "FINISHED"]
    seeds = Counter(int(run.data.params["seed"]) for run in children)
    findings += [f"seed {seed}: {seeds[seed]} runs" for seed in range(sweeps * jobs) if seeds[seed] != 1]
    for run in children:
        steps = [entry.step for entry in client.get_metric_history(run.info.run_id, "val/loss")]
        if sorted(steps) != list(range(1, EPOCHS + 1)):
            findings.append(f"run {run.info.run_id}: val/loss at the steps {steps}")
        if "test/macro_f1" not in run.data.metrics:
            findings.append(f"run {run.info.run_id}: no test metrics")
        findings += [f"run {run.info.run_id}: no {path}" for path in ARTIFACTS if not exists(client, run, path)]
    console.print(f"{len(children)} runs looked at; now one of them again, undisturbed", highlight=False)
    return findings + compare_with_undisturbed(folder, client, children[0], at_once)


def exists(client: mlflow.MlflowClient, run: mlflow.entities.Run, path: str) -> bool:
    """Tells whether a run has an artifact."""
    return path in {entry.path for entry in client.list_artifacts(run.info.run_id, os.path.dirname(path) or None)}


def compare_with_undisturbed(
    folder: Path, client: mlflow.MlflowClient, run: mlflow.entities.Run, at_once: int
) -> list[str]:
    """Trains one configuration in one go, with as many threads, and compares every epoch and the test bit for bit."""
    uri = f"sqlite:///{folder / 'undisturbed.db'}"
    job = Job(0, "", [f"seed={run.data.params['seed']}", *JOB], folder, folder / "undisturbed.log", environment(uri))
    if process.run(share_cores(job, at_once)).exit_code:
        return [f"the undisturbed run failed: {(folder / 'undisturbed.log').read_text()}"]
    other = mlflow.MlflowClient(uri)
    (twin,) = other.search_runs([other.get_experiment_by_name("fer_exp").experiment_id])

    def numbers(of: mlflow.MlflowClient, run_id: str, key: str) -> list[float]:
        return [entry.value for entry in sorted(of.get_metric_history(run_id, key), key=lambda entry: entry.step)]

    keys = ("train/loss", "val/loss", "val/macro_f1", "test/accuracy", "test/macro_f1")
    return [
        f"run {run.info.run_id}: {key} differs from an undisturbed run"
        for key in keys
        if numbers(client, run.info.run_id, key) != numbers(other, twin.info.run_id, key)
    ]


def report(options: argparse.Namespace, record: Record, sweeps: int, findings: list[str]) -> pd.DataFrame:
    """Returns the table of the document."""
    kills = ", ".join(f"{name}: {count}" for name, count in sorted(record.kills.items()))
    commands = ", ".join(f"{count} {name}" for name, count in sorted(record.commands.items()))
    jobs = sweeps * options.jobs
    rows = {
        "minutes of killing": f"{options.minutes:g}",
        "behind the server": options.backend,
        "killed": f"{record.kills.total()} ({kills})" if kills else "nothing",
        "commands given": f"{record.commands.total()} ({commands})",
        "sweeps, jobs": f"{sweeps}, {jobs}",
        "jobs that are FINISHED once, with every epoch once, test metrics and artifacts": (
            f"all {jobs}" if not findings else f"not all: {'; '.join(findings)}"
        ),
        "one of them against an undisturbed run": "equal to the last bit" if not findings else "see above",
    }
    return pd.DataFrame(rows.items(), columns=["what", "found"])


if __name__ == "__main__":
    main()
