"""The UI opens on the runs of any folder, with few processes, on loopback; what cannot be shown is told."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from conftest import environment_for
from finished_runs import tracker_in
from servers import free_port

from fer_exp import ui
from fer_exp.errors import ConfigError, TrackingError
from fer_exp.tracking import ui_address


def test_the_store_of_this_folder_of_another_and_of_an_address_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "mlflow.db").touch()
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert ui._uri([]) == ui._uri([str(tmp_path)]) == ui._uri(["mlflow.db"]) == ui._uri([f"tracking.uri={uri}"]) == uri
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:geheim@host:5000")
    assert ui._uri([]) == "http://me:***@host:5000"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "There are no runs here: .*mlflow.db does not exist"),
        (["nowhere"], "`FOLDER` must hold runs: there is no nowhere. Received: nowhere."),
        (["."], "`FOLDER` must hold runs: there is no mlflow.db. Received: ."),
        ([".", "tracking.uri=sqlite:///x.db"], "must be given, and once"),
    ],
)
def test_a_folder_without_runs_is_told(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ConfigError, TrackingError), match=message):
        ui._uri(words)
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken_is_told_and_another_one_found_unless_it_was_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = listening.getsockname()[1]
        with pytest.raises(ConfigError, match=f"another program listens there. Received: {taken}"):
            ui._free_port(taken)
    assert ui._free_port(None) in range(5000, 5020)
    with pytest.raises(ConfigError, match="`--port` must be from 1 to 65535. Received: 70000."):
        ui._free_port(70000)


def test_addresses_open_the_mode_for_training() -> None:
    assert ui_address("http://h:1/") == "http://h:1/#/experiments?workflowType=machine_learning"
    assert ui_address("http://h:1", "a" * 32, "7").startswith(f"http://h:1/#/experiments/7/runs/{'a' * 32}?")


@pytest.mark.whole
def test_two_processes_serve_the_runs_and_end_together(tmp_path: Path) -> None:
    with tracker_in(tmp_path).run("a run", {}, {}) as run:
        pass
    port = free_port()
    words = [sys.executable, "-m", "fer_exp.ui", str(tmp_path), "--port", str(port), "--run", run.run_id]
    process = subprocess.Popen(words, cwd=tmp_path, env=environment_for(), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{port}/#/experiments/" in process.stdout.readline()
        _wait_for(f"http://127.0.0.1:{port}/health")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/get?run_id={run.run_id}") as answer:
            assert json.load(answer)["run"]["info"]["run_name"] == "a run"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 1
        assert {c.laddr.ip for p in children for c in p.net_connections("inet") if c.status == "LISTEN"} == {
            "127.0.0.1"
        }
    finally:
        process.terminate()
        process.wait(timeout=30)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def _wait_for(address: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(address, timeout=1)
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"{address} does not answer")
