"""A training whose server is cut off, killed, and cut off again, from the command line; what `sync` says."""

import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import processes
import pytest
from conftest import environment_for
from fit.test_resume import COMMAND
from mlflow_server import Server, serving
from processes import Process
from tiny_runs import start

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serving(tmp_path_factory.mktemp("server"))


@dataclass(frozen=True)
class Story:
    """What was printed and found on the way; each command as (exit code, output)."""

    folder: Path
    resumed: tuple[int, str]
    status_before: str
    kept: tuple[int, str]
    repeated: tuple[int, str]
    synced: tuple[int, str]
    run: mlflow.entities.Run
    runs: int


def until(process: Process, beginning: str) -> str:
    """Reads what a process prints until a line begins so."""
    assert process.stdout is not None
    read = []
    for line in process.stdout:
        read.append(line)
        if line.startswith(beginning):
            return "".join(read)
    raise AssertionError("".join(read))


def sync(folder: Path, *arguments: str) -> tuple[int, str]:
    done = processes.run("fer_exp.sync", arguments, folder, environment_for(COLUMNS="300"))
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def story(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("run")
    command = (*COMMAND, f"tracking.uri={server.uri}")
    first = start(folder, *command)
    until(first, "stage ")
    server.line.cut()
    until(first, "epoch   2/")
    first.send_signal(signal.SIGKILL)
    first.wait()
    server.line.mend()
    second = start(folder, *command)
    output = until(second, "stage ")
    server.line.cut()
    output += second.communicate(timeout=300)[0]
    kept = sync(folder)
    server.line.mend()
    client = mlflow.MlflowClient(server.uri)
    (run,) = client.search_runs([client.get_experiment_by_name("fer_exp").experiment_id])
    third = start(folder, *command)
    repeated = third.communicate(timeout=300)[0]
    runs = client.search_runs([run.info.experiment_id])
    return Story(
        folder, (second.returncode, output), run.info.status, kept, (third.returncode, repeated), sync(folder),
        server.run(run.info.run_id), len(runs),
    )  # fmt: skip


def test_a_training_without_a_server_ends_well_and_says_how_to_deliver(story: Story) -> None:
    code, output = story.resumed
    assert code == 0, output
    assert "test macro-F1" in output
    folder = story.run.data.tags["folder"]
    last = output.strip().splitlines()[-1]
    assert f"records of run {story.run.info.run_id}" in last
    assert "were not delivered" in last
    assert last.endswith(f"They are kept in {folder}/outbox; deliver them with: python -m fer_exp.sync {folder}")
    assert output.count("The tracking server does not answer") == 1
    assert "Traceback" not in output
    assert story.status_before == "RUNNING"


def test_what_an_attempt_could_not_deliver_is_delivered_before_it_is_gone_on_with(story: Story) -> None:
    _, output = story.resumed
    assert f"records that run {story.run.info.run_id} had kept" in output
    assert output.index("had kept") < output.index("Going on with run")


def test_sync_says_what_is_still_kept(story: Story) -> None:
    code, output = story.kept
    assert code == 1
    assert "[1/1] outputs/" in output
    assert "still kept: `tracking.uri` must be a server that answers" in output
    assert "0 of 1 outboxes delivered." in output


def test_the_command_given_again_delivers_and_does_not_train_again(story: Story) -> None:
    code, output = story.repeated
    assert code == 0, output
    assert f"Run {story.run.info.run_id}" in output
    assert "had finished: nothing is left to do. resume=never begins anew." in output
    assert "epoch   " not in output
    assert story.runs == 1
    assert story.run.info.status == "FINISHED"
    assert len(list(story.folder.glob("outputs/*/*"))) == 1
    assert story.synced == (0, "There is no outbox here.\n")


def test_every_number_and_file_is_there_once(story: Story, server: Server) -> None:
    run_id = story.run.info.run_id
    for metric in ("train/loss", "val/accuracy", "lr"):
        assert server.steps(run_id, metric) == [1, 2, 3, 4]
    assert server.steps(run_id, "test/accuracy") == [0]
    assert story.run.data.params["epochs"] == "4"
    assert len(story.run.inputs.dataset_inputs) == 3
    assert len(story.run.outputs.model_outputs) == 1
    names = {entry.path for entry in mlflow.MlflowClient(server.uri).list_artifacts(run_id)}
    assert names == {"config", "figures", "tables", "model", "console.txt", "report.html"}
    assert "test macro-F1" in server.artifact(run_id, "console.txt").read_text()
    assert not list(story.folder.glob("**/outbox"))


def test_sync_refuses_what_is_no_folder(tmp_path: Path) -> None:
    assert sync(tmp_path, "nowhere") == (2, "error: `FOLDER` must exist. Received: nowhere.\n")
    code, output = sync(tmp_path, "tracking.urri=http://127.0.0.1:5000")
    assert code == 2
    assert "urri" in output


def test_sync_makes_no_database_where_there_is_none(tmp_path: Path) -> None:
    from fer_exp.record.outbox import Header, Outbox

    header = Header(f"sqlite:///{tmp_path / 'mlflow.db'}", "fer_exp", "1", "a" * 32, "name", "")
    Outbox(tmp_path / "outputs" / "run", header).append({"kind": "nothing"})
    code, output = sync(tmp_path)
    assert code == 1
    assert f"there is no {tmp_path / 'mlflow.db'}. Name the database with tracking.uri=sqlite:///..." in output
    assert not (tmp_path / "mlflow.db").exists()
    shutil.rmtree(tmp_path / "outputs")
