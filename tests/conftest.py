"""What every test may use: a private working folder, a private cache, and the command line as a real process."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Before TensorFlow is imported by any test: two workers share the cores of a small machine.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("MLFLOW_TRACKING_URI", None)

ROOT = Path(__file__).parent.parent
CommandLine = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    """Runs `python -m fer_exp` in an empty folder of its own, whatever the working directory of the tests."""

    def run(*arguments: str, timeout_seconds: float = 240, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "fer_exp", *arguments],
            cwd=tmp_path,
            env={**os.environ, "FER_EXP_CACHE": str(tmp_path / "cache"), **environment},
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    return run
