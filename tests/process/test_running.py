"""A job is a process of its own that says how it ended, ends when it is told to, and never outlives its starter."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import environment_for

from fer_exp import process
from fer_exp.process import Job, StartMethod, forkserver, running

HOW: tuple[StartMethod, ...] = ("forkserver", "spawn")


def wait_for(path: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not come within {seconds} seconds"
        time.sleep(0.05)


@pytest.fixture(params=HOW)
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartMethod]:
    """Both ways to start a job; each test has a forking server of its own, and no job may start otherwise."""
    monkeypatch.setattr(forkserver, "_the_one", [])
    if request.param == "forkserver":
        monkeypatch.setattr(running, "Cold", None)
    return request.param


def test_a_job_that_is_refused_hands_its_message_and_exit_code_back(tmp_path: Path, how: StartMethod) -> None:
    job = Job(3, "lr=-1", ["lr=-1"], tmp_path, tmp_path / "3.log")
    outcome = process.run(job, start_method=how)
    assert (outcome.number, outcome.name, outcome.exit_code) == (3, "lr=-1", 2)
    assert outcome.error.startswith("`lr` must be greater than 0. Received: lr=-1.")
    assert "error: `lr` must be" in (tmp_path / "3.log").read_text()


def test_a_job_runs_where_and_with_what_it_was_given(tmp_path: Path, how: StartMethod) -> None:
    """`--cfg job` prints the composed configuration, in which the variable stands."""
    job = Job(0, "", ["--cfg", "job", "--resolve"], tmp_path, tmp_path / "0.log", {"FER_EXP_CACHE": "/somewhere/else"})
    assert process.run(job, start_method=how).exit_code == 0
    assert "/somewhere/else" in (tmp_path / "0.log").read_text()


def test_a_job_that_is_stopped_may_close_its_run(sleeper: Path, how: StartMethod) -> None:
    stop = threading.Event()
    threading.Thread(target=lambda: (wait_for(sleeper / "ready"), stop.set())).start()
    outcome = process.run(Job(0, "", [], sleeper, sleeper / "0.log"), stop, how)
    assert outcome.exit_code == 143
    assert (sleeper / "closed").exists()
    assert outcome.error == f"exit code 143; see {sleeper / '0.log'}"


def test_a_job_that_is_killed_says_by_what(sleeper: Path, how: StartMethod) -> None:
    def kill() -> None:
        wait_for(sleeper / "ready")
        os.kill(int((sleeper / "ready").read_text()), signal.SIGKILL)

    threading.Thread(target=kill).start()
    outcome = process.run(Job(0, "", [], sleeper, sleeper / "0.log"), start_method=how)
    assert (outcome.exit_code, outcome.error) == (-signal.SIGKILL, "ended by SIGKILL")


def test_a_job_ends_itself_when_its_starter_is_killed(sleeper: Path, how: StartMethod) -> None:
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from fer_exp import process; from pathlib import Path;"
            f"process.run(process.Job(0, '', [], Path({str(sleeper)!r})), start_method={how!r})",
        ],
        env=environment_for(),
    )
    wait_for(sleeper / "ready")
    job = psutil.Process(int((sleeper / "ready").read_text()))
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    wait_for(sleeper / "closed")
    deadline = time.monotonic() + 60
    while job.is_running() and job.status() != psutil.STATUS_ZOMBIE:  # nobody may wait for it any more
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (sleeper / "closed").exists()
