"""The command that runs a chain: each stage once, in order, under one parent, and a table at the end."""

import io
import re
from pathlib import Path

import mlflow
import processes
import pytest
from conftest import environment_for
from finished_runs import tracker_in
from rich.console import Console
from small_chains import TWO, source
from tiny_runs import TINY, client_of, runs_of, start

from fer_exp import process
from fer_exp.compress import compressing
from fer_exp.errors import ConfigError, SweepError, TrackingError
from fer_exp.options import commandline, fingerprint
from fer_exp.process import Job, Outcome
from fer_exp.tracking import Tracker


class Jobs:
    """Records what each job should have trained, in place of training it; those in `failing` fail."""

    def __init__(self, tracker: Tracker, folder: Path) -> None:
        self.tracker, self.folder = tracker, folder
        self.names: list[str] = []
        self.arguments: list[list[str]] = []
        self.failing: set[str] = set()
        self.away = False

    def run(self, job: Job, *, start_method: process.StartMethod) -> Outcome:
        self.names.append(job.name)
        self.arguments.append(list(job.arguments))
        if job.name in self.failing:
            return Outcome(job.number, job.name, 3, float("nan"), "The loss became nan.", 0.1)
        jobs = commandline.check(job.arguments)
        assert jobs is not None
        if not self.away:
            folder = self.folder / f"{len(self.names)}"
            folder.mkdir()
            tags = {"fingerprint": fingerprint.of(jobs.first.model_dump()), "multiply_adds": 5, "parameters": 6}
            with self.tracker.run(job.name, {}, tags, folder=folder) as run:
                run.log_metrics({"test/accuracy": 0.5})
        return Outcome(job.number, job.name, 0, 0.5, "", 0.1)


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "two.yaml").write_text(TWO)
    made = Jobs(tracker_in(tmp_path), tmp_path)
    monkeypatch.setattr(process, "run", made.run)
    return made


def chain(run: str, *words: str) -> tuple[str, str]:
    """Runs the command in this process; returns the id of the chain's run and what was shown."""
    text = io.StringIO()
    return compressing.run(run, ["compression=two.yaml", *words], Console(file=text, width=200)), text.getvalue()


def test_stages_follow_each_other_and_are_children_of_one_run(jobs: Jobs, tmp_path: Path) -> None:
    run = source(jobs.tracker, tmp_path).run_id
    parent, text = chain(run, "lr=0.5")
    assert jobs.names == ["prune", "again"]
    first, second = jobs.tracker.child_records(parent)
    assert [child.name for child in (first, second)] == ["prune", "again"]
    assert f"pruning.run={run}" in jobs.arguments[0]
    assert f"pruning.run={first.run_id}" in jobs.arguments[1]
    assert all("lr=0.5" in arguments for arguments in jobs.arguments)
    record = jobs.tracker.record(parent)
    assert record is not None
    assert record.tags["stage.2"] == f"again {second.run_id}"
    assert (record.tags["started_from"], record.status) == (run, "FINISHED")
    assert re.search(r"│ again +│ +0\.00 M │ +6 │", text)
    assert f"python -m fer_exp.compare {parent}" in text
    assert jobs.tracker.download(parent, "compression.csv", tmp_path) is not None


def test_a_chain_that_failed_goes_on_with_the_stage_that_did(jobs: Jobs, tmp_path: Path) -> None:
    run = source(jobs.tracker, tmp_path).run_id
    jobs.failing = {"again"}
    with pytest.raises(SweepError) as caught:
        chain(run)
    assert str(caught.value).startswith("stage again: The loss became nan.\nThe same command again goes on with this")
    assert caught.value.exit_code == 3
    jobs.failing = set()
    parent, _ = chain(run)
    assert jobs.names == ["prune", "again", "again"]
    assert len(jobs.tracker.child_records(parent)) == 2
    assert chain(run)[0] == parent
    assert jobs.names == ["prune", "again", "again"]
    assert chain(run, "resume=never")[0] != parent


def test_a_stage_whose_run_has_not_arrived_is_not_gone_on_from(jobs: Jobs, tmp_path: Path) -> None:
    jobs.away = True
    with pytest.raises(TrackingError, match=r"Stage prune has ended, but its run has not arrived in .* fer_exp.sync"):
        chain(source(jobs.tracker, tmp_path).run_id)


def test_nothing_is_recorded_if_the_source_cannot_be_compressed(jobs: Jobs, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`RUN` must be the id of a run \(32 hex digits, or the first 8\)."):
        chain("abc")
    with pytest.raises(ConfigError, match=f"`RUN` must be a run in .* Received: {'0' * 32}, which is not there"):
        chain("0" * 32)
    (tmp_path / "cut").mkdir()
    with pytest.raises(KeyboardInterrupt), jobs.tracker.run("cut off", {}, {}, folder=tmp_path / "cut") as cut:
        raise KeyboardInterrupt
    with pytest.raises(ConfigError, match=r"`RUN` must have finished. Received: \w+ \(cut off\), which is KILLED"):
        chain(cut.run_id)
    with jobs.tracker.parent("a sweep", {"sweep": "lr"}) as parent:
        pass
    with pytest.raises(ConfigError, match=r"`RUN` must be one training. Received: \w+ \(a sweep\): name one of its"):
        chain(parent.run_id)
    with pytest.raises(ConfigError, match=r"`epochs` must be greater than 0.*\(stage prune\)"):
        chain(source(jobs.tracker, tmp_path).run_id, "epochs=0")
    assert jobs.names == []
    assert {run.info.run_name for run in runs_of(tmp_path)} == {"cut off", "a sweep", "it's the source"}


@pytest.mark.whole
def test_a_trained_network_is_pruned_and_gone_on_with(tmp_path: Path) -> None:
    """In real processes, from the command line to the runs."""
    (tmp_path / "two.yaml").write_text(TWO.replace("0.5,", "0.5, pruning.divisor=1, pruning.min_channels=1,"))
    trained = start(tmp_path, *TINY, "model.widths=[6,8]", "tracking.system_metrics=false")
    output, _ = trained.communicate(timeout=300)
    assert trained.returncode == 0, output
    (whole,) = runs_of(tmp_path)
    words = [whole.info.run_id, "compression=two.yaml", "epochs=1", "prune:export=none"]
    done = processes.run("fer_exp.compress", words, tmp_path, environment_for())
    assert done.returncode == 0, done.stderr
    assert "multiply-adds (5" in done.stdout  # per cent less
    stages = {run.data.tags.get("mlflow.runName"): run for run in runs_of(tmp_path) if "pruned_from" in run.data.tags}
    (pruned,) = stages.values()
    (parent,) = (run for run in runs_of(tmp_path) if "compression" in run.data.tags)
    tags = pruned.data.tags
    assert tags["mlflow.parentRunId"] == parent.info.run_id
    assert tags["pruned_from"] == tags["started_from"] == whole.info.run_id
    assert tags["multiply_adds_before"] == whole.data.tags["multiply_adds"]
    assert int(tags["multiply_adds"]) <= 0.5 * int(tags["multiply_adds_before"])
    assert int(tags["parameters"]) < int(tags["parameters_before"])
    (last,) = (run for run in runs_of(tmp_path) if run.data.tags.get("started_from") == pruned.info.run_id)
    assert last.data.tags["multiply_adds"] == tags["multiply_adds"]
    client = client_of(tmp_path)
    table = Path(client.download_artifacts(pruned.info.run_id, "tables/pruning.csv")).read_text()
    assert table.startswith("layers,channels_before,channels_after,least_score_kept,largest_score_removed,removed\n")
    import keras

    file = mlflow.artifacts.download_artifacts(
        artifact_uri=f"{last.info.artifact_uri}/model/model.keras", dst_path=str(tmp_path / "loaded")
    )
    model = keras.models.load_model(file, safe_mode=True)
    assert model.count_params() == int(last.data.tags["parameters"])
