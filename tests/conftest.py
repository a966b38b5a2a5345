"""What every test may use: a cache that the suite shares, and the command line as a real process in an own folder."""

import atexit
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processes
import pytest
from xdist.scheduler import LoadScopeScheduling

# Before TensorFlow is imported by any test: two workers share the cores of a small machine.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would theirs
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # devices are fixed at the first use, and tests share a process
if "PYTEST_XDIST_WORKER" not in os.environ:  # the workers share the cache of the process that starts them
    os.environ["FER_EXP_CACHE"] = tempfile.mkdtemp(prefix="fer_exp-cache-")  # not that of the person who runs them
    atexit.register(shutil.rmtree, os.environ["FER_EXP_CACHE"], ignore_errors=True)
os.environ["KERAS_HOME"] = str(Path(os.environ["FER_EXP_CACHE"]) / "keras")  # nor are weights that were downloaded

ROOT = Path(__file__).parent.parent
CommandLine = Callable[..., "subprocess.CompletedProcess[str]"]


def environment_for(**more: str) -> dict[str, str]:
    """Returns the environment of a process that must not see what other tests logged; what they cached has keys.

    `mlflow.set_tracking_uri` leaves its argument in the environment of the process that calls it.
    """
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "PYTEST_"))}
    return {**clean, "PYTHONUNBUFFERED": "1", **more}


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a worker the tests of a file, which share its fixtures, or of a part where ids say so: `part: the rest`."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        part = re.search(r"\[([\w. -]+): ", test)
        return f"{file} {part[1]}" if part else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(autouse=True)
def _no_store_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgets what another test has left in the environment: where it logged to, and its passwords."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("FER_EXP_CREDENTIALS", raising=False)


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    """Runs `python -m fer_exp` in an empty folder of its own, whatever the working directory of the tests."""

    def run(*arguments: str, timeout_seconds: float = 240, **environment: str) -> "subprocess.CompletedProcess[str]":
        return processes.run("fer_exp", arguments, tmp_path, environment_for(**environment), timeout_seconds)

    return run


@pytest.fixture
def _tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backbone of one convolution in place of 86 layers, which take long to compile."""
    import keras

    def build(input_shape: tuple[int, int, int], name: str, **ignored: object) -> "keras.Model":
        inputs = keras.Input(input_shape)
        x = keras.layers.Conv2D(4, 3, strides=4)(inputs)
        return keras.Model(inputs, keras.layers.BatchNormalization()(x), name=name)

    monkeypatch.setattr(keras.applications, "MobileNet", build)


SLEEPER = """
import os, signal, sys, time
from pathlib import Path
from fer_exp import process

def close(number, frame):
    Path("closed").touch()
    raise SystemExit(143)

signal.signal(signal.SIGTERM, close)
if len(sys.argv) > 1:
    sys.exit()
process.end_with_starter()
Path("number").write_text(str(os.getpid()))
Path("number").rename("ready")
time.sleep(300)
"""


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a stand-in for `python -m fer_exp` that waits, and closes itself when told to.

    It leaves its process' number in the file `ready` once it waits, and the file `closed` at its end.
    """
    package = tmp_path / "stand_in" / "fer_exp"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '0'\n")
    shutil.copytree(ROOT / "fer_exp" / "process", package / "process")
    (package / "process" / "imported.py").write_text("def load():\n    import fer_exp.run.experiment\n")
    (package / "run").mkdir()
    (package / "run" / "experiment.py").touch()
    (package / "__main__.py").write_text(SLEEPER)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return tmp_path
