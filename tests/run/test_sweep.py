"""A multirun is one parent with its children, a leaderboard and a link to the best."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from conftest import CommandLine, environment_for
from tiny_runs import client_of, runs_of, start

from fer_exp.errors import ConfigError
from fer_exp.options import commandline
from fer_exp.run import owner, sweep


@pytest.mark.whole
def test_a_two_by_two_sweep_is_one_parent_with_four_children(command_line: CommandLine, tmp_path: Path) -> None:
    done = command_line(
        "-m", "model.head_units=8,16", "seed=0,1", "model.widths=[4,4]", "dataset.train_size=70", "dataset.val_size=70",
        "dataset.test_size=70", "epochs=1", "export=none", "tracking.system_metrics=false",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("fer_exp")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(runs) == 5
    assert [run.info.status for run in runs] == ["FINISHED"] * 5
    swept = {(run.data.tags["sweep.model.head_units"], run.data.tags["sweep.seed"]) for run in children}
    assert swept == {("8", "0"), ("8", "1"), ("16", "0"), ("16", "1")}
    table = pd.read_csv(client.download_artifacts(parent.info.run_id, "leaderboard.csv"))
    values = [run.data.metrics["best_val/accuracy"] for run in children]
    assert table["best_val/accuracy"].tolist() == sorted(values, reverse=True)
    assert parent.data.tags["best_child"] == table["run_id"][0]
    assert parent.data.tags["mlflow.note.content"].count("\n| ") == 6
    assert len(list((tmp_path / "multirun").glob("*/*/[0-3]/figures/training_curves.png"))) == 4


@pytest.mark.whole
def test_a_job_that_fails_leaves_the_others_and_is_tried_again_by_the_same_command(
    command_line: CommandLine, tmp_path: Path
) -> None:
    command = (
        "-m", "lr=1e30,1e-3", "optimizer=sgd", "schedule=constant", "model.widths=[4,4]", "model.head_units=8",
        "dataset.train_size=70", "dataset.val_size=70", "dataset.test_size=70", "batch_size=16", "epochs=2",
        "export=none", "tracking.system_metrics=false",
    )  # fmt: skip
    for attempt in (1, 2):
        done = command_line(*command)
        assert done.returncode == 3
        assert "error: job 0 (lr=1e+30): The loss became" in done.stderr
        assert "error: 1 of 2 jobs failed; the same command again runs them once more" in done.stderr
        assert "Traceback" not in done.stderr
        assert ("job 1: lr=0.001: finished before as run" in done.stdout) == (attempt == 2)
        runs = runs_of(tmp_path)
        statuses = {run.data.tags.get("sweep.lr", "parent"): run.info.status for run in runs}
        assert len(runs) == 3
        assert statuses == {"1e+30": "FAILED", "0.001": "FINISHED", "parent": "FAILED"}
    (parent,) = [run for run in runs if "sweep.lr" not in run.data.tags]
    table = pd.read_csv(client_of(tmp_path).download_artifacts(parent.info.run_id, "leaderboard.csv"))
    assert table["status"].tolist() == ["FINISHED", "FAILED"]
    assert "- job 0 (lr=1e+30): The loss became" in parent.data.tags["mlflow.note.content"]


@pytest.fixture(scope="module")
def killed_and_repeated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A sweep of three jobs, two at once, killed when one was finished, given again twice; and what was printed."""
    folder = tmp_path_factory.mktemp("killed")
    command = (
        "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=0,1,2", "model.widths=[4,4]",
        "model.head_units=8", "dataset.train_size=140", "dataset.val_size=70", "dataset.test_size=70", "epochs=3",
        "export=none", "early_stopping=null", "tracking.system_metrics=false",
    )  # fmt: skip
    process = start(folder, *command)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[1/3]") and " ended: " in line:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    printed = []
    for _ in range(2):
        process = start(folder, *command)
        printed.append(process.communicate(timeout=300)[0])
        assert process.returncode == 0, printed[-1]
    return folder, printed


@pytest.mark.whole
def test_a_killed_sweep_goes_on_under_the_same_parent_and_every_job_is_finished_once(
    killed_and_repeated: tuple[Path, list[str]],
) -> None:
    folder, printed = killed_and_repeated
    runs = runs_of(folder)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert [run.info.status for run in runs] == ["FINISHED"] * 4
    assert sorted(run.data.tags["sweep.seed"] for run in children) == ["0", "1", "2"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    for run in children:
        history = client_of(folder).get_metric_history(run.info.run_id, "val/loss")
        assert [entry.step for entry in history] == [1, 2, 3]
    assert printed[0].count("left out") in (1, 2)
    assert f"Going on with sweep {parent.info.run_id}" in printed[0]


@pytest.mark.whole
def test_a_sweep_that_is_finished_is_told_to_be_so(killed_and_repeated: tuple[Path, list[str]]) -> None:
    _, printed = killed_and_repeated
    assert printed[1].count("left out") == 3


@pytest.mark.whole
def test_it_ends_with_the_command_that_compares(killed_and_repeated: tuple[Path, list[str]]) -> None:
    folder, printed = killed_and_repeated
    (parent,) = [run for run in runs_of(folder) if "mlflow.parentRunId" not in run.data.tags]
    last = printed[1].splitlines()[-3:]
    assert last[0].startswith(f"sweep {parent.info.run_id} in sqlite:///")
    assert last[1].endswith(f"python -m fer_exp.compare {parent.info.run_id}")
    assert last[2].endswith(f"python -m fer_exp.ui --run {parent.info.run_id[:8]}")
    assert "leaderboard" in printed[1]


@pytest.mark.whole
def test_several_jobs_at_once_print_into_files_of_their_own(killed_and_repeated: tuple[Path, list[str]]) -> None:
    folder, printed = killed_and_repeated
    assert "epoch   3/3" not in printed[0]
    assert any("epoch   3/3" in path.read_text() for path in (folder / "multirun").glob("*/*/?.log"))


def test_the_same_sweep_has_the_same_parent_whatever_does_not_matter(tmp_path: Path) -> None:
    """Not the order of the overrides, nor the launcher, nor where things go; but every value that a job sees."""
    uri = f"tracking.uri=sqlite:///{tmp_path / 'mlflow.db'}"

    def parent_of(*overrides: str) -> str:
        jobs = commandline.check(["-m", uri, *overrides])
        assert jobs is not None
        with sweep.parent(jobs):
            return sweep.current().run_id

    first = parent_of("seed=0,1", "lr=0.1")
    assert (
        parent_of("lr=0.1", "seed=0,1", "hydra/launcher=joblib", f"cache_dir={tmp_path / 'elsewhere'}", "name=other")
        == first
    )
    assert parent_of("seed=0,1,2", "lr=0.1") != first
    assert parent_of("seed=0,1", "lr=0.2") != first
    anew = parent_of("seed=0,1", "lr=0.1", "resume=never")
    assert anew != first
    assert parent_of("seed=0,1", "lr=0.1") == anew


def test_a_sweep_that_another_process_is_at_work_on_is_left_alone(tmp_path: Path) -> None:
    jobs = commandline.check(["-m", "seed=0,1", f"tracking.uri=sqlite:///{tmp_path / 'mlflow.db'}"])
    assert jobs is not None
    with sweep.parent(jobs):
        script = (
            "import sys; from fer_exp.options import commandline; from fer_exp.run import sweep\n"
            "with sweep.parent(commandline.check(sys.argv[1:])): print('opened')"
        )
        words = [sys.executable, "-c", script, "-m", *jobs.overrides]
        done = subprocess.run(words, capture_output=True, text=True, env=environment_for(), check=False)
    assert "ConfigError: The same sweep is at work in another process on this host." in done.stderr
    assert "opened" not in done.stdout


def test_a_sweep_that_runs_on_another_host_is_not_begun_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = commandline.check(["-m", "seed=0,1", f"tracking.uri=sqlite:///{tmp_path / 'mlflow.db'}"])
    assert jobs is not None
    with sweep.parent(jobs):
        run_id = sweep.current().run_id
    client_of(tmp_path).update_run(run_id, status="RUNNING")
    client_of(tmp_path).set_tag(run_id, owner.HOST, "node7")
    with pytest.raises(ConfigError, match=f"Sweep {run_id} says that it is at work on node7. Wait for it"):
        sweep.parent(jobs).__enter__()


def test_a_run_id_is_refused_for_a_sweep(command_line: CommandLine, tmp_path: Path) -> None:
    done = command_line("-m", "seed=0,1", f"resume={'a' * 32}")
    assert done.returncode == 2
    assert "`resume` of a sweep must be auto or never" in done.stderr
    assert not (tmp_path / "mlflow.db").exists()


def test_a_mistake_in_a_launchers_options_is_told_before_anything_runs(
    command_line: CommandLine, tmp_path: Path
) -> None:
    done = command_line("-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=0", "seed=0,1", "lr=-1")
    assert done.returncode == 2
    assert "`hydra.launcher.n_jobs` must be greater than 0 or -1. Received: hydra.launcher.n_jobs=0." in done.stderr
    assert "`lr` must be greater than 0" in done.stderr
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.whole
def test_an_interrupted_sweep_ends_its_jobs_and_all_say_killed(tmp_path: Path) -> None:
    command = (
        "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=0,1", "dataset.train_size=2000", "epochs=500",
        "tracking.system_metrics=false",
    )  # fmt: skip
    process = start(tmp_path, *command)
    logs = []
    while len(logs) < 2:  # both jobs train
        time.sleep(0.2)
        logs = [p for p in (tmp_path / "multirun").glob("*/*/?.log") if "epoch   1/" in p.read_text()]
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert [run.info.status for run in runs_of(tmp_path)] == ["KILLED"] * 3
