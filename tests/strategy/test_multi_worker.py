"""Two processes train as one does, and one of them alone keeps records. Each test starts real ones on loopback."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from conftest import ROOT, CommandLine, environment_for

pytestmark = pytest.mark.whole

RUN = [
    "dataset.train_size=70", "dataset.val_size=21", "dataset.test_size=70", "model.widths=[4,4]", "model.head_units=8",
    "model.block_dropout=0.0", "model.head_dropout=0.0", "loss.class_weights={angry: 3.0, happy: 0.25}",
    "optimizer.ema_momentum=0.9", "precision=float32", "epochs=2", "export=none", "tracking.system_metrics=false",
]  # fmt: skip
CLUSTER = ["strategy=multi_worker", "strategy.synchronized_batch_norm=true", "resume=never"]


def run_cluster(folder: Path, *commands: list[str]) -> list[tuple[int, str, Path]]:
    """Runs one process for each command, in folders of their own; returns exit code, output and folder of each."""
    probes = [socket.socket() for _ in commands]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    for probe in probes:
        probe.close()
    processes = []
    for index, command in enumerate(commands):
        place = folder / str(index)
        place.mkdir()
        tf_config = json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})
        environment = environment_for(TF_CONFIG=tf_config, PYTHONPATH=str(ROOT))
        words = [sys.executable, "-m", "fer_exp", *command]
        process = subprocess.Popen(
            words, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        processes.append((process, place))
    try:
        outputs = [process.communicate(timeout=240)[0] for process, _ in processes]
    finally:
        for process, _ in processes:
            process.kill()
    return [(process.returncode, output, place) for (process, place), output in zip(processes, outputs, strict=True)]


def only_run(folder: Path) -> mlflow.entities.Run:
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("fer_exp").experiment_id])
    return run


def test_two_processes_train_as_one_and_only_the_first_keeps_records(command_line: CommandLine, tmp_path: Path) -> None:
    """With class weights, averaged weights and synchronized batch normalisation."""
    alone = command_line(*RUN)
    assert alone.returncode == 0, alone.stderr
    chief, follower = run_cluster(tmp_path, [*RUN, *CLUSTER], [*RUN, *CLUSTER])
    assert (chief[0], follower[0]) == (0, 0), chief[1] + follower[1]
    assert list(follower[2].iterdir()) == []
    expected, found = only_run(tmp_path), only_run(chief[2])
    assert found.info.status == "FINISHED"
    assert found.data.params["strategy._target_"] == "fer_exp.strategy.multi_worker.build"
    measured = {name for name in expected.data.metrics if name.startswith(("train/", "val/", "test/"))}
    assert {"train/loss", "val/loss", "val/macro_f1", "test/accuracy"} <= measured
    for name in measured:
        assert found.data.metrics[name] == pytest.approx(expected.data.metrics[name], rel=1e-5, abs=1e-7), name


def test_processes_with_different_commands_refuse_to_train(tmp_path: Path) -> None:
    for code, output, _ in run_cluster(tmp_path, [*RUN, *CLUSTER], [*RUN, *CLUSTER, "lr=0.5"]):
        assert code == 2, output
        assert "error: All processes of a cluster must be given the same command and the same data." in output
        assert "Traceback" not in output


def test_without_a_cluster_it_is_refused_before_anything_is_loaded(command_line: CommandLine, tmp_path: Path) -> None:
    done = command_line("strategy=multi_worker", "resume=never")
    assert done.returncode == 2
    assert done.stderr.startswith("error: strategy=multi_worker needs TF_CONFIG in the environment: {")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
