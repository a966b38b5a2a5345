"""Every command ends alike: mistakes in a line, Ctrl-C and SIGTERM without a traceback, defects with one."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, environment_for

HEAVY = ("tensorflow", "keras", "mlflow", "pandas", "matplotlib", "sklearn", "scipy", "cv2")
FRAMED = sorted(
    str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
    for path in (ROOT / "fer_exp").rglob("*.py")
    if "@command.framed" in path.read_text()
)
HELP = f"""
import importlib, sys
sys.argv[1:] = ["--help"]
try:
    importlib.import_module(sys.argv.pop(0)).main()
except SystemExit:
    pass
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


def program(body: str) -> str:
    """A command whose work is `body`, in a folder that it has opened as a run would be."""
    return f"""
import contextlib, sys, time
from fer_exp.errors import ConfigError, StorageError
from fer_exp.reporting import command

@contextlib.contextmanager
def opened():
    try:
        yield
    finally:
        print("closed", flush=True)

@command.framed
def main():
    with opened():
        {body}

main()
"""


def ended(body: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program(body)], env=environment_for(), capture_output=True, text=True, check=False
    )


def test_there_are_commands() -> None:
    assert {"fer_exp.__main__", "fer_exp.sync", "fer_exp.predict.__main__"} <= set(FRAMED)


def test_whatever_can_be_run_as_a_command_has_the_frame() -> None:
    run_as_main = re.compile(r'^if __name__ == "__main__":', re.MULTILINE)
    files = [path for path in (ROOT / "fer_exp").rglob("*.py") if run_as_main.search(path.read_text())]
    names = {str(path.relative_to(ROOT).with_suffix("")).replace("/", ".") for path in files}
    children = {"fer_exp.lite.litert_child", "fer_exp.lite.benchmark", "fer_exp.process.server"}  # no person starts one
    assert names - children <= set(FRAMED)


@pytest.mark.parametrize("module", FRAMED)
def test_help_imports_nothing_heavy(module: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP.replace("sys.argv.pop(0)", repr(module))],
        cwd=tmp_path, env=environment_for(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == "[]\n"
    assert "python -m fer_exp" in done.stdout


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("pass", 0, ""),
        ("return 1", 1, ""),
        ("raise ConfigError(['`a` is wrong.', '`b` too.'])", 2, "error: `a` is wrong.\nerror: `b` too.\n"),
        ("raise StorageError('disk \\x1b[2J full')", 4, "error: disk \N{REPLACEMENT CHARACTER}[2J full\n"),
        ("raise StorageError('postgresql://me:secret@host')", 4, "error: postgresql://me:***@host\n"),
        ("raise KeyboardInterrupt", 130, "error: Interrupted.\n"),
        ("raise MemoryError('for 3 images')", 4, "error: The memory is not enough: for 3 images."),
    ],
)
def test_each_end_has_its_code_and_its_sentence(body: str, code: int, said: str) -> None:
    done = ended(body)
    assert (done.returncode, done.stdout) == (code, "closed\n")
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr


def test_a_defect_keeps_its_traceback() -> None:
    done = ended("raise KeyError('ours')")
    assert done.returncode == 1
    assert done.stderr.endswith("KeyError: 'ours'\n")


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "error: Interrupted.\n"), (signal.SIGTERM, 143, "")]
)
def test_what_is_open_is_closed_when_a_person_or_a_scheduler_ends_a_command(number: int, code: int, said: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", program("print('at work', flush=True); time.sleep(60)")],
        env=environment_for(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    time.sleep(0.1)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, "closed\n", said)
