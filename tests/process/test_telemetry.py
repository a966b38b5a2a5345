"""Nothing leaves the machine: no process of this project speaks to anybody but the machine itself."""

import ipaddress
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, environment_for

from fer_exp.process import telemetry

# Writes down whom a process, and those it forks, look up and connect to; then it is `python -m fer_exp`.
WATCHED = """
import os, runpy, sys

def watch(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        note(str(arguments[1][0]))
    if event == "socket.getaddrinfo":
        note(str(arguments[0]))

def note(host):
    with open(os.environ["SEEN"], "a") as file:
        file.write(host + "\\n")

sys.addaudithook(watch)
runpy.run_module("fer_exp", run_name="__main__", alter_sys=True)
"""
SMALL = (
    "model.widths=[2,2]", "model.head_units=4", "dataset.train_size=35", "dataset.val_size=35", "dataset.test_size=70",
    "epochs=1", "export=none", "tracking.system_metrics=false",
)  # fmt: skip
OF_A_TEST = ("CI", "GITHUB_ACTIONS", "MLFLOW_DISABLE_TELEMETRY", "RAY_USAGE_STATS_ENABLED")  # let MLflow keep quiet


def is_loopback(host: str) -> bool:
    try:
        return host in ("localhost", "None", "") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def test_the_main_job_connects_to_nobody_and_leaves_no_id_in_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "seen").touch()
    clean = {key: value for key, value in environment_for().items() if key not in OF_A_TEST}
    environment = {
        **clean, "HOME": str(tmp_path / "home"), "SEEN": str(tmp_path / "seen"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), clean.get("PYTHONPATH", "")]),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *SMALL], cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    strangers = [host for host in (tmp_path / "seen").read_text().splitlines() if not is_loopback(host)]
    assert strangers == []
    assert not [path for path in (tmp_path / "home").rglob("*") if "mlflow" in path.name.lower()]


def test_the_watcher_sees_who_is_looked_up(tmp_path: Path) -> None:
    code = (
        WATCHED.partition("runpy.run_module")[0]
        + "import socket\ntry: socket.getaddrinfo('host.invalid', 80)\nexcept OSError: pass"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "SEEN": str(tmp_path / "seen")}, check=True)
    assert (tmp_path / "seen").read_text() == "host.invalid\n"
    assert not is_loopback("host.invalid")


@pytest.mark.parametrize("name", ["MLFLOW_DISABLE_TELEMETRY", "RAY_USAGE_STATS_ENABLED"])
def test_what_the_user_has_set_stays(name: str) -> None:
    environment = {name: "mine"}
    telemetry.turn_off(environment)
    assert environment[name] == "mine"
    assert len(environment) == 2


def test_importing_the_package_turns_the_reports_off() -> None:
    assert (os.environ["MLFLOW_DISABLE_TELEMETRY"], os.environ["RAY_USAGE_STATS_ENABLED"]) == ("true", "0")
