"""Runs whose process is gone are found and, on request, marked."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import processes
import pytest
from conftest import ROOT, environment_for
from contracts import node

from fer_exp import config
from fer_exp.record.outbox import Header, Outbox

OPEN_AND_WAIT = """
import time
from contracts import node
from fer_exp import config
with config.build(node("tracking", "mlflow", system_metrics=False)).run("sleeper", {}, {}) as run:
    print(run.run_id, flush=True)
    time.sleep(300)
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A process with an open run, and the run's id."""
    environment = environment_for(PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'tests'}")
    process = subprocess.Popen(
        [sys.executable, "-c", OPEN_AND_WAIT], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()


def doctor(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return processes.run("fer_exp.doctor", ["runs", *arguments], folder, environment_for(COLUMNS="200"))


def status(folder: Path, run_id: str) -> str:
    return str(mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").get_run(run_id).info.status)


def test_a_killed_run_is_found_and_marked_while_the_living_are_left_alone(
    sleeper: tuple["subprocess.Popen[str]", str], tmp_path: Path
) -> None:
    process, run_id = sleeper
    alive = doctor(tmp_path, "--mark-killed")
    assert (alive.returncode, status(tmp_path, run_id)) == (0, "RUNNING"), alive.stderr
    assert "its process is at work" in alive.stdout
    process.kill()
    found = doctor(tmp_path)
    assert (found.returncode, status(tmp_path, run_id)) == (1, "RUNNING")
    assert run_id in found.stdout
    assert "its process is gone" in found.stdout
    assert "1 of 1 runs owned by no process" in found.stdout
    marked = doctor(tmp_path, "--mark-killed")
    assert (marked.returncode, status(tmp_path, run_id)) == (0, "KILLED")
    again = doctor(tmp_path)
    assert again.returncode == 0
    assert "No run says RUNNING" in again.stdout


def test_a_run_that_ended_while_the_server_was_away_is_not_marked_but_pointed_to(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    config.build(node("tracking", "mlflow", uri=uri))
    gone = {"owner.host": socket.gethostname(), "owner.pid": str(2**22 + 1), "owner.started": "1"}
    run = mlflow.MlflowClient(uri).create_run("0", run_name="done", tags={**gone, "folder": str(tmp_path / "run")})
    box = Outbox(tmp_path / "run", Header(uri, "Default", "0", run.info.run_id, "done", ""))
    box.append({"kind": "status", "status": "FINISHED", "time": 1_700_000_000_000})
    done = doctor(tmp_path, "--mark-killed")
    assert (done.returncode, status(tmp_path, run.info.run_id)) == (0, "RUNNING"), done.stderr
    assert "its process is gone; how it ended waits in its outbox: python -m fer_exp.sync" in done.stdout
    assert "1 ended while the server was away: python -m fer_exp.sync delivers it." in done.stdout
    assert doctor(tmp_path).returncode == 1
    shutil.rmtree(tmp_path / "run" / "outbox")
    assert "1 of 1 runs marked as KILLED" in doctor(tmp_path, "--mark-killed").stdout


def test_runs_of_other_hosts_and_without_an_owner_are_left_alone(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    config.build(node("tracking", "mlflow", uri=uri))
    client = mlflow.MlflowClient(uri)
    ids = [
        client.create_run("0", tags={"owner.host": "elsewhere", "owner.pid": "1", "owner.started": "1"}).info.run_id,
        client.create_run("0").info.run_id,
    ]
    done = doctor(tmp_path, "--mark-killed")
    assert done.returncode == 0, done.stderr
    assert "started on another host" in done.stdout
    assert [status(tmp_path, run_id) for run_id in ids] == ["RUNNING", "RUNNING"]


def test_a_folder_without_runs_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    done = doctor(tmp_path)
    assert done.returncode == 2
    assert f"error: `tracking.uri` must lead to runs: there is no {tmp_path / 'mlflow.db'}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_override_is_told(tmp_path: Path) -> None:
    done = doctor(tmp_path, "tracking.url=x")
    assert done.returncode == 2
    assert "tracking.url" in done.stderr
    assert "Traceback" not in done.stderr
