"""Figures are written by another process, the same as without it, and none is missing whatever becomes of it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil
import pytest
from matplotlib.figure import Figure

from fer_exp.reporting import figure_style, figure_writer


@pytest.fixture(autouse=True)
def _own_writer() -> Iterator[None]:
    figure_writer.start.cache_clear()
    yield
    if figure_writer.start.cache_info().currsize:
        pool = figure_writer.start()
        if pool is not None:
            pool.shutdown()
    figure_writer.start.cache_clear()


def drawn(title: str = "a title") -> Figure:
    figure = Figure(figsize=(3, 2), layout="constrained")
    figure.subplots().plot([1, 3, 2])
    figure_style.headline(figure, title, "and what it says")
    return figure


def writer() -> int:
    pool = figure_writer.start()
    assert pool is not None
    return pool.submit(os.getpid).result()


def kill(process: psutil.Process) -> None:
    """Kills a child and waits until it is dead; its status is left to the pool, which waits for it."""
    process.send_signal(signal.SIGKILL)
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)


def test_what_another_process_writes_is_what_this_one_would(tmp_path: Path) -> None:
    assert writer() != os.getpid()
    figure_style.save(drawn(), tmp_path / "here.png")
    with figure_writer.beside():
        figure_writer.save(drawn(), tmp_path / "beside.png")
    assert (tmp_path / "beside.png").read_bytes() == (tmp_path / "here.png").read_bytes()


def test_outside_of_a_block_a_figure_is_there_at_once(tmp_path: Path) -> None:
    figure_writer.save(drawn(), tmp_path / "a.png")
    assert (tmp_path / "a.png").is_file()
    assert not figure_writer.start.cache_info().currsize


def test_a_figure_that_cannot_be_written_is_an_error_at_the_end_of_the_block(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((FileExistsError, NotADirectoryError)), figure_writer.beside():
        figure_writer.save(drawn(), tmp_path / "file" / "a.png")


@pytest.mark.parametrize("when", ["before", "between"])
def test_a_writer_that_is_killed_leaves_no_figure_out(
    when: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = psutil.Process(writer())
    names = [f"{number}.png" for number in range(6)]
    with figure_writer.beside():
        for number, name in enumerate(names):
            if number == (0 if when == "before" else 3):
                kill(found)
            figure_writer.save(drawn(name), tmp_path / name)
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    if when == "between":
        assert "The process that writes figures has ended" in caplog.text


@pytest.mark.parametrize(
    ("where", "error"),
    [("submit", OSError(12, "Cannot allocate memory")), ("__init__", NotImplementedError("no semaphores"))],
)
def test_a_system_that_cannot_start_a_process_is_told_of(
    where: str, error: Exception, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(ProcessPoolExecutor, where, refuse)
    with figure_writer.beside():
        figure_writer.save(drawn(), tmp_path / "a.png")
    assert (tmp_path / "a.png").is_file()
    assert f"no process for them ({error})" in caplog.text


def test_the_writer_ends_with_a_starter_that_is_killed() -> None:
    code = (
        "import os, signal\nfrom fer_exp.reporting import figure_writer\n"
        "print(figure_writer.start().submit(os.getpid).result(), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    number = int(done.stdout)
    if psutil.pid_exists(number):
        psutil.Process(number).wait(60)
