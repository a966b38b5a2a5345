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

from fer_exp.options import config
from fer_exp.record.outbox import Header, Outbox
from fer_exp.run import owner

OPEN_AND_WAIT = """
import time
from contracts import node
from fer_exp.options import config
from fer_exp.run import owner
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
    """Asks the doctor, who sees no temporary folder but this one's."""
    (folder / "tmp").mkdir(exist_ok=True)
    environment = environment_for(COLUMNS="300", TMPDIR=str(folder / "tmp"))
    return processes.run("fer_exp.doctor", ["runs", *arguments], folder, environment)


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
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_mistyped_override_is_told(tmp_path: Path) -> None:
    done = doctor(tmp_path, "tracking.url=x")
    assert done.returncode == 2
    assert "tracking.url" in done.stderr
    assert "Traceback" not in done.stderr


def state_in(folder: Path) -> None:
    for name in ("snapshots/after-epoch-000002.npz", "kept/after-epoch-000002.weights.h5"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * 1_000_000)


def recorded(folder: Path, status: str, **tags: str) -> None:
    uri = f"sqlite:///{folder.parent / 'mlflow.db'}"
    config.build(node("tracking", "mlflow", uri=uri))
    client = mlflow.MlflowClient(uri)
    run = client.create_run("0", tags={"owner.host": socket.gethostname(), "folder": str(folder), **tags})
    client.set_terminated(run.info.run_id, status)


def test_what_continues_a_finished_run_is_found_and_removed_on_request(tmp_path: Path) -> None:
    """A process that was killed after its last record, before it had cleaned up."""
    for status in ("FINISHED", "KILLED", "FAILED"):
        state_in(tmp_path / status)
        recorded(tmp_path / status, status)
    recorded(tmp_path / "elsewhere", "FINISHED", **{"owner.host": "another"})
    state_in(tmp_path / "elsewhere")
    found = doctor(tmp_path)
    assert found.returncode == 1, found.stderr
    assert "2 left over; --clean removes them (2.0 MB)." in found.stdout
    assert (tmp_path / "FINISHED" / "snapshots").is_dir()
    cleaned = doctor(tmp_path, "--clean")
    assert (cleaned.returncode, cleaned.stdout.count("to continue a run that has finished")) == (0, 2)
    assert "2 of 2 removed" in cleaned.stdout
    assert [path.name for path in (tmp_path / "FINISHED").iterdir()] == [".lock"]
    for kept in ("KILLED", "FAILED", "elsewhere"):
        assert (tmp_path / kept / "snapshots" / "after-epoch-000002.npz").is_file(), "it may be gone on with"


def test_a_folder_with_anything_else_and_one_that_is_at_work_are_left_alone(tmp_path: Path) -> None:
    for name in ("mine", "busy"):
        state_in(tmp_path / name)
        recorded(tmp_path / name, "FINISHED")
    for name in ("snapshots", "kept"):
        (tmp_path / "mine" / name / "thesis.txt").touch()
    lock = owner.lock(tmp_path / "busy")
    assert lock is not None
    done = doctor(tmp_path, "--clean")
    lock.release()
    assert done.returncode == 0, done.stdout
    assert "left over" not in done.stdout
    assert (tmp_path / "busy" / "kept").is_dir()


HOLD = """
import time
from fer_exp.process import temporary
with temporary.folder("test") as folder:
    (folder / "large").write_bytes(bytes(3_000_000))
    print(folder, flush=True)
    time.sleep(300)
"""


def test_temporary_folders_and_locks_of_killed_processes_are_found_and_removed(tmp_path: Path) -> None:
    config.build(node("tracking", "mlflow", uri=f"sqlite:///{tmp_path / 'mlflow.db'}"))
    rest = tmp_path / "tmp"
    rest.mkdir()
    (rest / "fer_exp-me-sweep-0123.lock").touch()
    (rest / "fer_exp-without-a-lock").mkdir()
    (rest / "somebody.lock").touch()
    words = [sys.executable, "-c", HOLD]
    process = subprocess.Popen(words, env=environment_for(TMPDIR=str(rest)), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    alive = doctor(tmp_path)
    assert "1 left over; --clean removes them (0.0 MB)." in alive.stdout
    process.kill()
    process.wait()
    assert "2 left over; --clean removes them (3.0 MB)." in doctor(tmp_path).stdout
    assert (folder / "large").is_file()
    cleaned = doctor(tmp_path, "--clean")
    assert (cleaned.returncode, "2 of 2 removed" in cleaned.stdout) == (0, True), cleaned.stdout
    assert sorted(path.name for path in rest.iterdir()) == ["fer_exp-without-a-lock", "somebody.lock"]
