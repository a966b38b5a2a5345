"""A command whose output nobody reads ends without a word; another broken pipe is not hidden by that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import environment_for


def unread(arguments: list[str], folder: Path, buffered: bool) -> "subprocess.CompletedProcess[str]":
    """Runs a command whose output goes into a pipe that is closed at its other end."""
    read, write = os.pipe()
    os.close(read)
    environment = {k: v for k, v in environment_for().items() if not (buffered and k == "PYTHONUNBUFFERED")}
    try:
        return subprocess.run(
            [sys.executable, *arguments], cwd=folder, env=environment, stdout=write, stderr=subprocess.PIPE,
            text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(write)


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize(
    "arguments", [["-m", "fer_exp", "--help"], ["-m", "fer_exp", "--cfg", "job"], ["-m", "fer_exp.doctor", "--help"]]
)
def test_help_and_configurations_may_be_cut_off(arguments: list[str], buffered: bool, tmp_path: Path) -> None:
    done = unread(arguments, tmp_path, buffered)
    assert done.stderr == ""
    assert done.returncode in (0, 141), "argparse keeps to itself that its help was not read"


def test_a_mistake_keeps_its_exit_code(tmp_path: Path) -> None:
    done = unread(["-m", "fer_exp", "lr=-1"], tmp_path, buffered=True)
    assert (done.returncode, done.stderr.splitlines()[0][:20]) == (2, "error: `lr` must be ")


def test_another_pipe_that_breaks_is_told(tmp_path: Path) -> None:
    program = (
        "from fer_exp.process.reader import ends_with_reader\n"
        "with ends_with_reader():\n"
        "    raise BrokenPipeError('of a server')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "BrokenPipeError: of a server" in done.stderr
