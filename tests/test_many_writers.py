"""Many processes write at once, from the first use of the store on, and nothing is lost or there twice."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import optuna
import pytest
from conftest import environment_for
from servers import mlflow_server, postgresql, postgresql_programs
from tiny_runs import start

needs_postgresql = pytest.mark.skipif(
    postgresql_programs() is None, reason="PostgreSQL is not installed: apt-get install postgresql"
)
pytestmark = pytest.mark.whole
WRITERS, RUNS_OF_EACH, STEPS = 4, 6, 10
SMALL = (
    "model.widths=[4,4]", "model.head_units=8", "dataset.train_size=70", "dataset.val_size=70", "dataset.test_size=70",
    "epochs=2", "export=none", "tracking.system_metrics=false",
)  # fmt: skip
WRITE = """
import sys
from contracts import node
from fer_exp.options import config
tracker = config.build(node("tracking", "mlflow", system_metrics=False, uri=sys.argv[1]))
for number in sys.argv[2:]:
    with tracker.run(f"run {number}", {"number": number}, {}) as run:
        for step in range(1, 11):
            run.log_metrics({"value": float(step)}, step)
        run.log_text("text", "text.txt")
"""
NAME_DATA = """
import sys
import time
from contracts import node
import numpy as np
from fer_exp.options import config
from fer_exp.dataset import Split, Splits
tracker = config.build(node("tracking", "mlflow", system_metrics=False, uri=sys.argv[1], experiment="data"))
for number in range(6):
    split = Split.of_images(np.full((2, 4, 4, 1), number, np.uint8), np.arange(2))
    time.sleep(1 - time.time() % 1)  # until the next full second, as the others do
    with tracker.run("run", {}, {}) as run:
        run.log_data(Splits(split, split, split, ("a", "b"), str(number), "made here"))
"""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgresql() as uri:
        yield uri


@pytest.fixture(scope="module")
def server_on_postgresql(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("server"), database) as server:
        yield server.uri


def check_every_run_is_there_once(uri: str, folder: Path) -> None:
    environment = environment_for(PYTHONPATH=str(Path(__file__).parent))
    numbers = [[str(RUNS_OF_EACH * writer + run) for run in range(RUNS_OF_EACH)] for writer in range(WRITERS)]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, uri, *own], cwd=folder, env=environment) for own in numbers
    ]
    assert [writer.wait(240) for writer in writers] == [0] * WRITERS
    client = mlflow.MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("fer_exp").experiment_id])
    assert sorted(int(run.data.params["number"]) for run in runs) == list(range(WRITERS * RUNS_OF_EACH))
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        steps = [entry.step for entry in client.get_metric_history(run.info.run_id, "value")]
        assert sorted(steps) == list(range(1, STEPS + 1))
        assert [entry.path for entry in client.list_artifacts(run.info.run_id)] == ["text.txt"]


def test_four_writers_into_a_new_sqlite_file(tmp_path: Path) -> None:
    check_every_run_is_there_once(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path)


@needs_postgresql
def test_four_writers_into_a_server_on_postgresql(server_on_postgresql: str, tmp_path: Path) -> None:
    check_every_run_is_there_once(server_on_postgresql, tmp_path)


@needs_postgresql
def test_a_sweep_on_ray_into_a_server_on_postgresql(server_on_postgresql: str, tmp_path: Path) -> None:
    """The set-up of docs/sweeps.md for more than one machine, on one."""
    process = start(
        tmp_path, "-m", "hydra/launcher=ray", "hydra.launcher.num_cpus=2", "seed=0,1,2", *SMALL,
        "tracking.experiment=ray", f"tracking.uri={server_on_postgresql}",
    )  # fmt: skip
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    client = mlflow.MlflowClient(server_on_postgresql)
    runs = client.search_runs([client.get_experiment_by_name("ray").experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert [run.info.status for run in runs] == ["FINISHED"] * 4
    assert sorted(run.data.tags["sweep.seed"] for run in children) == ["0", "1", "2"]
    for run in children:
        assert client.list_artifacts(run.info.run_id, "figures")  # which the server has stored
    assert "leaderboard.csv" in {entry.path for entry in client.list_artifacts(parent.info.run_id)}


@needs_postgresql
def test_a_search_whose_study_is_in_postgresql_with_two_trials_at_once(
    database: str, server_on_postgresql: str, tmp_path: Path
) -> None:
    storage = database.replace("/mlflow", "/optuna")
    process = start(
        tmp_path, "-m", "hydra/sweeper=optuna", "lr=tag(log,interval(1e-4,1e-2))", "hydra.sweeper.n_trials=4",
        "hydra.sweeper.n_jobs=2", f"hydra.sweeper.storage={storage}", "hydra/sweeper/pruner=none",
        "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", *SMALL, "tracking.experiment=search",
        f"tracking.uri={server_on_postgresql}",
    )  # fmt: skip
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    password = storage.split(":")[2].split("@")[0]
    assert password not in output
    (study,) = optuna.get_all_study_summaries(storage)
    trials = optuna.load_study(study_name=study.study_name, storage=storage).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 4, output
    client = mlflow.MlflowClient(server_on_postgresql)
    runs = client.search_runs([client.get_experiment_by_name("search").experiment_id])
    values = {int(run.data.tags["trial"]): run.data.metrics for run in runs if "trial" in run.data.tags}
    assert {number: metrics["best_val/accuracy"] for number, metrics in values.items()} == {
        trial.number: trial.value for trial in trials
    }
    assert not any(password in str(run.to_dictionary()) for run in runs)
    intervals = sorted((run.info.start_time, run.info.end_time) for run in runs if "trial" in run.data.tags)
    assert intervals[1][0] < intervals[0][1], "the first two trials ran side by side"
    folders = {Path(run.data.tags["folder"]).parent for run in runs if "trial" in run.data.tags}
    assert len(folders) == 1, "all trials of a command lie in its folder"


@needs_postgresql
def test_many_runs_that_name_the_same_data_set_at_once(server_on_postgresql: str, tmp_path: Path) -> None:
    environment = environment_for(PYTHONPATH=str(Path(__file__).parent))
    command = [sys.executable, "-c", NAME_DATA, server_on_postgresql]
    writers = [subprocess.Popen(command, cwd=tmp_path, env=environment) for _ in range(WRITERS)]
    assert [writer.wait(240) for writer in writers] == [0] * WRITERS
    client = mlflow.MlflowClient(server_on_postgresql)
    runs = client.search_runs([client.get_experiment_by_name("data").experiment_id])
    assert [len(run.inputs.dataset_inputs) for run in runs] == [3] * RUNS_OF_EACH * WRITERS
