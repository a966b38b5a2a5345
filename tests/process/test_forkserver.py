"""Jobs are forked from a server that has imported what they import; when that fails, they start cold and say so."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import processes
import psutil
import pytest
from conftest import environment_for

from fer_exp import process
from fer_exp.process import Job, forkserver
from fer_exp.process.forkserver import CannotForkError, ForkServer
from fer_exp.process.job import Command

PROBE = """
import json, os, sys
from tensorflow.python.eager import context
sys.stdout.write(json.dumps({
    "imported": [name for name in ("tensorflow", "mlflow", "keras", "fer_exp.run.conclusion") if name in sys.modules],
    "context": repr(context._context),
    "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
    "session": os.getsid(0) == os.getpid(),
    "arguments": sys.argv[1:],
    "module": __name__,
}))
"""


@pytest.fixture(autouse=True)
def _no_server_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forkserver, "_the_one", [])


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not come"
        time.sleep(0.02)


def job(folder: Path, *arguments: str, number: int = 0, **environment: str) -> Job:
    return Job(number, f"job {number}", arguments, folder, folder / f"{number}.log", environment)


def test_a_fork_has_the_imports_behind_it_and_nothing_of_the_server_but_them(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    done = processes.run("probe", ["a", "b=c"], tmp_path, environment_for())
    assert done.returncode == 0, done.stderr

    found = json.loads(done.stdout)
    assert found["imported"] == ["tensorflow", "mlflow", "keras", "fer_exp.run.conclusion"]
    assert found["context"] == "None", "an operation was run, whose threads no fork inherits"
    assert found["descriptors"] == [0, 1, 2], "something was left open"
    assert found["session"]
    assert (found["arguments"], found["module"]) == (["a", "b=c"], "__main__")


def test_jobs_side_by_side_have_an_output_and_an_end_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "end.py").write_text(
        "import sys, time; time.sleep(0.3); print(sys.argv[1]); sys.exit(int(sys.argv[1]))"
    )
    environment = environment_for()
    running = [processes.Process("end", [str(code)], tmp_path, environment) for code in range(4)]
    assert [process.communicate(60)[0] for process in running] == ["0\n", "1\n", "2\n", "3\n"]
    assert [process.returncode for process in running] == [0, 1, 2, 3]


def test_a_crash_in_native_code_is_told_by_its_signal(tmp_path: Path) -> None:
    (tmp_path / "crash.py").write_text("import ctypes; ctypes.string_at(0)")
    assert processes.run("crash", [], tmp_path, environment_for()).returncode == -signal.SIGSEGV


def server() -> psutil.Process:
    ((_, found),) = forkserver._the_one
    return psutil.Process(found.pid)


def test_a_job_outlives_the_server_and_its_true_end_is_seen(sleeper: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()

    def kill_the_server() -> None:
        wait_for(sleeper / "ready")
        server().kill()
        time.sleep(0.5)
        stop.set()

    threading.Thread(target=kill_the_server).start()
    outcome = process.run(job(sleeper), stop, "forkserver")
    assert outcome.exit_code == 143
    assert (sleeper / "closed").exists(), "it was told to end, and closed its run"
    outcome = process.run(job(sleeper, "end", number=1), None, "forkserver")
    assert outcome.exit_code == 0
    said = "job 1 starts in a new interpreter: the process that jobs are forked from has ended."
    assert said in capfd.readouterr().out


def test_a_job_that_is_killed_after_its_server_was_is_told_by_its_signal(sleeper: Path) -> None:
    def kill_both() -> None:
        wait_for(sleeper / "ready")
        server().kill()
        os.kill(int((sleeper / "ready").read_text()), signal.SIGKILL)

    threading.Thread(target=kill_both).start()
    assert process.run(job(sleeper), None, "forkserver").error == "ended by SIGKILL"


def test_a_refused_fork_is_told_and_the_job_starts_cold(sleeper: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (sleeper / "stand_in" / "sitecustomize.py").write_text(
        "import errno, os\ndef fork(): raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))\nos.fork = fork\n"
    )
    assert process.run(job(sleeper, "end"), None, "forkserver").exit_code == 0
    said = "job 0 starts in a new interpreter: the system refused to fork (Cannot allocate memory)."
    assert said in capfd.readouterr().out


def test_a_job_with_variables_that_imports_read_starts_cold(sleeper: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The server has imported already: a number of threads, for example, would come too late."""
    assert process.run(job(sleeper, "end", FER_EXP_MARK="1"), None, "forkserver").exit_code == 0
    assert process.run(job(sleeper, "end", number=1, FER_EXP_MARK="2"), None, "forkserver").exit_code == 0
    assert "new interpreter" not in capfd.readouterr().out
    assert process.run(job(sleeper, "end", number=2, OMP_NUM_THREADS="7"), None, "forkserver").exit_code == 0
    said = "job 2 starts in a new interpreter: the jobs before it had other values of OMP_NUM_THREADS."
    assert said in capfd.readouterr().out


def test_on_other_systems_it_is_said_what_happens(
    sleeper: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert process.run(job(sleeper, "end"), None, "forkserver").exit_code == 0
    assert "forking a process that holds TensorFlow is safe on Linux alone." in capfd.readouterr().out


def test_the_server_ends_with_its_starter(sleeper: Path) -> None:
    made = ForkServer(Command("fer_exp", [], sleeper, dict(os.environ)))
    made.__dict__["_control"].close()
    assert psutil.Process(made.pid).wait(60) == 0


def test_a_folder_that_is_not_there_is_the_error_that_a_new_interpreter_gives(tmp_path: Path) -> None:
    for how in ("forkserver", "spawn"):
        with pytest.raises(FileNotFoundError):
            process.run(Job(0, "", [], tmp_path / "missing"), None, how)  # type: ignore[arg-type]


def test_a_server_that_cannot_import_is_no_server(sleeper: Path) -> None:
    (sleeper / "stand_in" / "fer_exp" / "run" / "experiment.py").write_text("raise ImportError('broken')")
    with pytest.raises(CannotForkError, match="the process that jobs are forked from has ended"):
        forkserver.fork(Command("fer_exp", [], sleeper, dict(os.environ)), (1, 2))


def test_the_server_survives_a_starter_that_drops_a_job_without_listening(tmp_path: Path) -> None:
    """As by a thread that was interrupted: the answer lies unread when the line breaks."""
    (tmp_path / "short.py").write_text("")
    (tmp_path / "wait.py").write_text("import sys; sys.stdin.read()")
    environment = environment_for()
    dropped = processes.Process("wait", [], tmp_path, environment)
    dropped._forked.close()
    assert processes.run("short", [], tmp_path, environment).returncode == 0
    assert processes.run("short", [], tmp_path, environment).returncode == 0
