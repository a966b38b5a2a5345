"""An unfinished run is continued by the command that began it: same run, same folder, same numbers. Real processes."""

import dataclasses
import logging
import shutil
import signal
from pathlib import Path

import mlflow
import pytest
from conftest import CommandLine
from processes import Process
from tiny_runs import TINY, client_of, runs_of, start

from fer_exp.errors import ConfigError
from fer_exp.fit import resume
from fer_exp.options.fingerprint import Identity
from fer_exp.record.outbox import Header, Outbox
from fer_exp.run.owner import HOST, PID, mark
from fer_exp.tracking import Attempt

COMMAND = (
    *(override for override in TINY if not override.startswith("export.")), "export=none", "epochs=4",
    "deterministic=true", "optimizer=adamw", "optimizer.ema_momentum=0.9", "early_stopping=null",
    "tracking.system_metrics=false",
)  # fmt: skip


def kill_after_epoch(epoch: int, process: Process) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"epoch   {epoch}/"):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()


def steps(folder: Path, run: mlflow.entities.Run, metric: str) -> list[int]:
    return [entry.step for entry in client_of(folder).get_metric_history(run.info.run_id, metric)]


def predictions(folder: Path, run: mlflow.entities.Run) -> str:
    return Path(client_of(folder).download_artifacts(run.info.run_id, "tables/predictions.csv")).read_text()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A folder with a run that was killed twice and continued, one with a run that was not, and the last output."""
    killed, whole = tmp_path_factory.mktemp("killed"), tmp_path_factory.mktemp("whole")
    uninterrupted = start(whole, *COMMAND)
    output, _ = uninterrupted.communicate(timeout=300)
    assert uninterrupted.returncode == 0, output
    for epoch in (1, 3):
        kill_after_epoch(epoch, start(killed, *COMMAND))
    process = start(killed, *COMMAND)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return killed, whole, output


def test_it_is_one_run_in_one_folder_with_every_epoch_once(folders: tuple[Path, Path, str]) -> None:
    killed, _, output = folders
    (run,) = runs_of(killed)
    assert run.info.status == "FINISHED"
    assert f"Going on with run {run.info.run_id}" in output
    assert "epochs were completed before" in output
    assert [str(path) for path in (killed / "outputs").glob("*/*")] == [run.data.tags["folder"]]
    left = {path.name for path in Path(run.data.tags["folder"]).iterdir()}
    assert not left & {"snapshots", "kept"}, "only an unfinished run needs them"
    for metric in ("train/loss", "val/accuracy", "lr"):
        assert steps(killed, run, metric) == [1, 2, 3, 4]
    assert steps(killed, run, "test/accuracy") == [0]
    assert len(run.inputs.dataset_inputs) == 3


def test_it_ends_bit_for_bit_as_one_that_was_not_killed(folders: tuple[Path, Path, str]) -> None:
    killed, whole, _ = folders
    (one,), (other,) = runs_of(killed), runs_of(whole)
    assert predictions(killed, one) == predictions(whole, other)
    same = {key for key in other.data.metrics if key.startswith(("train/", "val/", "test/", "best_"))}
    assert {key: one.data.metrics[key] for key in same} == {key: other.data.metrics[key] for key in same}


def test_a_finished_run_is_not_continued_and_cannot_be(
    folders: tuple[Path, Path, str], command_line: CommandLine
) -> None:
    _, whole, _ = folders
    (run,) = runs_of(whole)
    uri = f"tracking.uri=sqlite:///{whole / 'mlflow.db'}"
    named = command_line(*COMMAND, uri, f"resume={run.info.run_id}")
    assert named.returncode == 2
    assert f"`resume` must name a run that can be continued: it is finished. Received: resume={run.info.run_id}" in (
        named.stderr
    )
    again = command_line(*COMMAND, uri)
    assert again.returncode == 0, again.stderr
    assert [entry.info.status for entry in runs_of(whole)] == ["FINISHED", "FINISHED"]


def test_never_begins_anew(tmp_path: Path, command_line: CommandLine) -> None:
    kill_after_epoch(1, start(tmp_path, *COMMAND))
    done = command_line(*COMMAND, "resume=never")
    assert done.returncode == 0, done.stderr
    assert sorted(entry.info.status for entry in runs_of(tmp_path)) == ["FINISHED", "RUNNING"]


def test_a_word_that_is_no_way_to_resume_is_refused(command_line: CommandLine) -> None:
    done = command_line("resume=sometimes")
    assert done.returncode == 2
    assert "`resume` must be 'auto' or 'never' or the id of a run (32 hex digits, or the first 8)." in (done.stderr)


class Recorded:
    """A tracker with one run."""

    def __init__(self, attempt: Attempt | None) -> None:
        self._attempt = attempt

    def unfinished(self, fingerprint: str) -> list[Attempt]:
        return [self._attempt] if self._attempt else []

    def attempt(self, run_id: str) -> Attempt | None:
        return self._attempt


def recorded(where: Path, status: str = "KILLED", **tags: str) -> Recorded:
    found = {"fingerprint": "f", "data_sha256": "d", "folder": str(where), **mark(), **tags}
    return Recorded(Attempt("1" * 32, "name", status, found))


@pytest.mark.parametrize(
    ("status", "tags", "reason"),
    [
        ("RUNNING", {}, "its process is at work"),
        ("RUNNING", {HOST: "elsewhere"}, "it says it is running on another host"),
        ("KILLED", {"data_sha256": "e"}, "the data have changed since"),
        ("KILLED", {"folder": "/nowhere"}, "its folder is not here: /nowhere"),
        ("FAILED", {"fingerprint": "g"}, "it has another configuration"),
        (
            "KILLED",
            {"fingerprint": "by others"},
            "Eigen's kernels compute it: TF_ENABLE_ONEDNN_OPTS=0 before the command goes on with it",
        ),
    ],
)
def test_what_cannot_be_continued_is_said_and_a_new_run_begun(
    status: str, tags: dict[str, str], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "old").mkdir()
    tracker = recorded(tmp_path / "old", status, **tags)
    said: list[str] = []
    with resume.chosen("auto", tracker, Identity("f", "by others"), "d", tmp_path / "new", said.append) as choice:
        assert (choice.run_id, choice.folder) == (None, tmp_path / "new")
    assert said == [f"Run {'1' * 32} has this configuration too, but {reason}."]
    named = resume.chosen("1" * 32, tracker, Identity("f", "by others"), "d", tmp_path / "new", said.append)
    with pytest.raises(ConfigError, match=reason), named:
        pass


class Delivering(Recorded):
    """A tracker that learns from the outbox how the run ended."""

    def __init__(self, attempt: Attempt, ended: str) -> None:
        super().__init__(attempt)
        self._ended = ended

    def deliver(self, folder: Path, at_end: object) -> int:
        shutil.rmtree(folder / "outbox")
        self._attempt = dataclasses.replace(self._attempt, status=self._ended)
        return 5


@pytest.mark.parametrize(("ended", "finished"), [("FINISHED", True), ("FAILED", False)])
@pytest.mark.parametrize("how", ["auto", "1" * 32])
def test_what_is_in_its_outbox_decides_whether_a_run_is_gone_on_with(
    how: str, ended: str, finished: bool, tmp_path: Path
) -> None:
    where = tmp_path / "old"
    Outbox(where, Header("uri", "fer_exp", "1", "1" * 32, "name", "")).append({"kind": "nothing"})
    tags = {"fingerprint": "f", "data_sha256": "d", "folder": str(where), **mark(), PID: str(2**22 + 1)}
    tracker = Delivering(Attempt("1" * 32, "name", "RUNNING", tags), ended)
    said: list[str] = []
    with resume.chosen(how, tracker, Identity("f", "by others"), "d", tmp_path / "new", said.append) as choice:
        assert (choice.run_id, choice.folder) == ("1" * 32, where)
        assert (choice.finished is not None) == finished
    assert said[0] == f"5 records that run {'1' * 32} had kept in {where} are delivered."
    assert ("had finished: nothing is left to do" in said[1]) == finished
    assert ("Going on with run" in said[1]) != finished


def test_a_run_that_does_not_exist_cannot_be_continued(tmp_path: Path) -> None:
    named = resume.chosen("2" * 32, Recorded(None), Identity("f", "by others"), "d", tmp_path, print)
    with pytest.raises(ConfigError, match="there is no such run"), named:
        pass


def test_two_processes_do_not_continue_the_same_run(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    tracker = recorded(tmp_path / "old")
    said: list[str] = []
    first = resume.chosen("auto", tracker, Identity("f", "by others"), "d", tmp_path / "a", said.append)
    second = resume.chosen("auto", tracker, Identity("f", "by others"), "d", tmp_path / "b", said.append)
    with first as one, second as other:
        assert (one.folder, other.folder) == (tmp_path / "old", tmp_path / "b")
    assert "another process is at work in its folder" in said[-1]
    with resume.chosen("auto", tracker, Identity("f", "by others"), "d", tmp_path / "c", said.append) as third:
        assert third.folder == tmp_path / "old"


def test_a_folder_that_holds_more_than_hydras_notes_is_left(tmp_path: Path) -> None:
    for name in ("old", "new/.hydra", "used"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "used" / "notes.txt").write_text("mine")
    for name, left in (("new", False), ("used", True)):
        with resume.chosen("auto", recorded(tmp_path / "old"), Identity("f", "by others"), "d", tmp_path / name, print):
            assert (tmp_path / name).exists() is left


def test_what_is_logged_later_goes_to_the_old_folder(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    handler = logging.FileHandler(tmp_path / "new" / "fer_exp.log", delay=True)
    logging.getLogger().addHandler(handler)
    try:
        with resume.chosen(
            "auto", recorded(tmp_path / "old"), Identity("f", "by others"), "d", tmp_path / "new", print
        ):
            logging.getLogger("fer_exp").warning("something")
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    assert (tmp_path / "old" / "fer_exp.log").read_text() == "something\n"
