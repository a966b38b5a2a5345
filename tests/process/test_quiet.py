"""TensorFlow says nothing that nobody asked for while it is imported; what is no such line is let through."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_exp.process import quiet

IDLE = """WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1796050172.310003    9728 port.cc:153] oneDNN custom operations are on.
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A TensorFlow that prints two idle lines and one that matters, past Python, as native code does."""
    (tmp_path / "tensorflow.py").write_text(
        f"import os\nos.write(2, {IDLE.encode()!r} + b'out of memory\\n')\nfound = 1\n"
    )
    return tmp_path


def said(folder: Path, program: str, **environment: str) -> str:
    clean = {key: value for key, value in os.environ.items() if key != quiet.LEVEL}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**clean, "PYTHONPATH": str(folder), **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr


def test_idle_lines_are_left_out_and_others_are_not(stand_in: Path) -> None:
    assert said(stand_in, "import fer_exp, tensorflow; assert tensorflow.found") == "out of memory\n"


def test_everything_is_said_if_it_is_asked_for(stand_in: Path) -> None:
    assert said(stand_in, "import fer_exp, tensorflow", TF_CPP_MIN_LOG_LEVEL="0") == IDLE + "out of memory\n"


def test_what_is_said_before_an_import_fails_is_not_lost(stand_in: Path) -> None:
    with (stand_in / "tensorflow.py").open("a") as file:
        file.write("raise ImportError('broken')\n")
    text = said(stand_in, "import fer_exp, tensorflow")
    assert text.startswith("out of memory\nTraceback")
    assert text.endswith("ImportError: broken\n")
