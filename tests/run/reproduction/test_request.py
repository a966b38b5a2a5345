"""A request to repeat a run becomes the command line of its configuration, or one clear error."""

from pathlib import Path
from typing import Any

import numpy as np
import processes
import pytest
import yaml
from conftest import environment_for
from contracts import compose
from finished_runs import tracker_in

from fer_exp.assessment import metrics
from fer_exp.data import input_files, source_choice
from fer_exp.errors import ConfigError, DataError
from fer_exp.options import commandline, recorded_config
from fer_exp.reporting import tables
from fer_exp.run import reproduction
from fer_exp.run.reproduction import request
from fer_exp.tracking import Tracker, finished_run

NAMES = ("angry", "happy", "sad")
EVALUATION = metrics.evaluate(0.1 + 0.7 * np.eye(3)[[0, 1, 1, 2]], np.array([0, 1, 2, 2]), NAMES)


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return tracker_in(tmp_path)


def recorded(tracker: Tracker, folder: Path, *overrides: str, predictions: bool = True, **changes: Any) -> str:
    """Records a finished run of a configuration, some of its root keys changed, and returns its id."""
    (folder / "run" / "config").mkdir(parents=True)
    (folder / "run" / "tables").mkdir()
    values = {key: value for key, value in (compose(*overrides) | changes).items() if value != "gone"}
    (folder / "run" / "config" / "resolved.yaml").write_text(yaml.safe_dump(values))
    if predictions:
        tables.predictions_table(EVALUATION).to_csv(folder / "run" / "tables" / "predictions.csv", index=False)
    tags = {"data_sha256": "d" * 64, "git_commit": "abc-dirty"}
    with tracker.run("a run", {}, tags, folder=folder / "run") as run:
        for name in ("config", "tables"):
            run.log_folder(folder / "run" / name)
    return run.run_id


def read(folder: Path, *words: str) -> request.Source:
    return request.read([*words, f"tracking.uri=sqlite:///{folder / 'mlflow.db'}"])


def refused(folder: Path, *words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, *words)
    return str(caught.value)


def test_the_command_line_has_the_configuration_of_the_run_and_begins_anew(tracker: Tracker, tmp_path: Path) -> None:
    own = ("schedule=plateau", "schedule.patience=2", "lr=0.03", "seed=7", "deterministic=true", "registered_model=fer")
    run_id = recorded(tracker, tmp_path, *own, "tracking.experiment=other", f"resume={'a' * 32}")
    source = read(tmp_path, f"reproduce={run_id}", "cache_dir=here")
    jobs = commandline.check(source.overrides)
    assert jobs is not None
    first = jobs.first
    assert (first.option("schedule"), first.schedule["patience"], first.schedule["peak"]) == ("plateau", 2, 0.03)
    assert (first.seed, first.deterministic, first.tracking["experiment"]) == (7, True, "other")
    assert (first.resume, first.registered_model, first.name, first.cache_dir) == (
        "never", None, "reproduce a run", "here",
    )  # fmt: skip
    assert request.flat(first.model_dump()) == source.configuration
    assert source.evaluation.predictions.tolist() == [0, 1, 1, 2]


def test_other_data_are_refused(tracker: Tracker, tmp_path: Path) -> None:
    files = (f"dataset.path={tmp_path}", f"dataset.votes={tmp_path}")
    source = read(tmp_path, f"reproduce={recorded(tracker, tmp_path, 'dataset=ferplus', *files)}")
    source.check_data("d" * 64, "x.csv")
    with pytest.raises(DataError) as caught:
        source.check_data("e" * 64, "x.csv")
    assert str(caught.value) == (
        f"The data must be those of run {source.record.run_id} (a run), with SHA-256 {'d' * 16}... Received: x.csv, "
        f"which has {'e' * 16}... Name the same data with dataset.path=<path> dataset.votes=<path> "
        "dataset.exclude=<path> dataset.relabel=<path>. If they are the same files, they were read otherwise by commit "
        "abc: check that out to run it as it was."
    )


def test_what_the_run_did_not_know_is_taken_as_it_is_now(tracker: Tracker, tmp_path: Path) -> None:
    source = read(tmp_path, f"reproduce={recorded(tracker, tmp_path, folds='gone', pruning='gone')}")
    assert "folds" not in source.configuration
    assert not any(word.startswith(("folds", "pruning")) for word in source.overrides)


def test_keys_that_are_not_known_any_more_are_named_with_the_commit(tracker: Tracker, tmp_path: Path) -> None:
    message = refused(tmp_path, f"reproduce={recorded(tracker, tmp_path, drive=3, warp='on')}")
    first, second, advice = message.splitlines()
    assert first.startswith("`drive` is not an option of the configuration. Received: drive=3.")
    assert second.startswith("`warp` is not an option of the configuration. Received: warp=on.")
    assert "cannot be repeated by fer_exp" in advice
    assert advice.endswith("it was recorded by commit abc. Check that out to run it as it was.")


def test_data_that_have_moved_are_named_without_advice_about_versions(tracker: Tracker, tmp_path: Path) -> None:
    run_id = recorded(tracker, tmp_path, "dataset=fer2013", "dataset.path=/nowhere/fer2013.csv")
    line, where = refused(tmp_path, f"reproduce={run_id}").splitlines()
    assert line.startswith("`dataset.path` must be an existing path. Received: dataset.path='/nowhere/fer2013.csv'.")
    assert where == (
        f"If data of run {run_id} (a run) have moved, say where they are: "
        "dataset.path=<path> dataset.exclude=<path> dataset.relabel=<path>."
    )
    assert read(tmp_path, f"reproduce={run_id}", f"dataset.path={tmp_path}").overrides[-2] == f"dataset.path={tmp_path}"


def test_every_file_of_the_data_may_lie_elsewhere(tracker: Tracker, tmp_path: Path) -> None:
    combined = ("dataset=combine", "dataset.sources.ferplus.path=/gone/f.csv", "dataset.sources.ferplus.votes=/gone/v")
    more = ("+dataset@dataset.sources.mine=image_folder", "dataset.sources.mine.path=/gone/m")
    run_id = recorded(tracker, tmp_path, *combined, *more)
    sources = [f"dataset.sources.{key}={tmp_path}" for key in ("ferplus.path", "ferplus.votes", "mine.path")]
    source = read(tmp_path, f"reproduce={run_id}", *sources, f"dataset.exclude={tmp_path}")
    jobs = commandline.check(source.overrides)
    assert jobs is not None
    dataset = jobs.first.dataset
    held = dataset["sources"]
    assert (held["ferplus"]["path"], held["ferplus"]["votes"], held["mine"]["path"]) == (str(tmp_path),) * 3
    assert request.flat(jobs.first.model_dump()) == request.flat(source_configuration(tracker, run_id))


def source_configuration(tracker: Tracker, run_id: str) -> dict[str, Any]:
    """Returns a recorded configuration as an experiment holds it: without the sources that nobody named."""
    values = recorded_config.read(tracker, finished_run(tracker, run_id, "x"))
    return {**values, "dataset": source_choice.given(values["dataset"])}


def test_options_that_change_the_data_are_refused_with_those_that_may_be_given(
    tracker: Tracker, tmp_path: Path
) -> None:
    run_id = recorded(tracker, tmp_path / "a", "dataset=fer2013", f"dataset.path={tmp_path}")
    assert refused(tmp_path, f"reproduce={run_id}", "dataset.val=0.1", f"dataset.path={tmp_path}") == (
        "`reproduce` takes the configuration of the run; beside it only tracking.<key>=..., cache_dir=... and where "
        "its data are (dataset.path=<path> dataset.exclude=<path> dataset.relabel=<path>) may be given. "
        "Received: dataset.val=0.1."
    )
    drawn = recorded(tracker, tmp_path / "b")
    assert f"(run {drawn} (a run) reads no file) may be given" in refused(
        tmp_path, f"reproduce={drawn}", "dataset.path=x"
    )


def test_corrections_that_are_gone_are_taken_from_the_run_which_is_said(tracker: Tracker, tmp_path: Path) -> None:
    faces, gone, cache = tmp_path / "f.csv", tmp_path / "gone.csv", tmp_path / "cache"
    faces.touch()
    gone.write_text("name\nrow 3\n")
    overrides = ("dataset=fer2013", f"dataset.path={faces}", f"dataset.exclude={gone}")
    run_id = recorded(tracker, tmp_path, *overrides)
    (tmp_path / "kept").mkdir()
    input_files.keep(compose(*overrides)["dataset"], tmp_path / "kept")
    tracker.add_folder(run_id, tmp_path / "kept", "config")
    words = (f"reproduce={run_id}", f"cache_dir={cache}")
    assert f"dataset.exclude={gone}" in read(tmp_path, *words).overrides
    gone.unlink()
    source = read(tmp_path, *words)
    (word,) = (word for word in source.overrides if word.startswith("dataset.exclude="))
    copy = Path(word.partition("=")[2])
    assert copy.read_text() == "name\nrow 3\n"
    assert copy.is_relative_to(cache)
    (note,) = source.notes
    assert note == f"dataset.exclude: {gone} is gone; the copy that run {run_id} (a run) has kept is taken: {copy}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "reproduce=ID"], "`reproduce` repeats one run: leave out -m. Received: -m reproduce=ID"),
        (["reproduce=ID", "lr=0.1", "--cfg"], "may be given. Received: lr=0.1 --cfg."),
        (
            ["reproduce=12"],
            "`reproduce` must be the id of one run (32 hex digits, or the first 8). Received: reproduce=1",
        ),
        (["reproduce=ID", "reproduce=ID"], "`reproduce` must be the id of one run (32 hex digits, or"),
        (["reproduce"], "`reproduce` must be the id of one run (32 hex digits, or the first 8). Received: reproduce=."),
        ([f"reproduce={'0' * 32}"], f"Received: {'0' * 32}, which is not there."),
    ],
)
def test_a_request_that_cannot_be_understood_is_refused(
    words: list[str], message: str, tracker: Tracker, tmp_path: Path
) -> None:
    assert reproduction.is_asked(words)
    run_id = "1" * 32
    found = refused(tmp_path, *(word.replace("ID", run_id) for word in words))
    assert message.replace("ID", run_id) in found


def test_a_run_that_did_not_finish_and_a_sweep_are_refused(tracker: Tracker, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), tracker.run("broken", {}, {}, folder=tmp_path / "a") as broken:
        raise ZeroDivisionError
    with tracker.parent("sweep lr", {"sweep": "lr"}) as sweep:
        pass
    assert refused(tmp_path, f"reproduce={broken.run_id}") == (
        f"`reproduce` must have finished. Received: {broken.run_id} (broken), which is FAILED."
    )
    assert refused(tmp_path, f"reproduce={sweep.run_id}") == (
        f"`reproduce` must be one training. Received: {sweep.run_id} (sweep lr): name one of its runs."
    )


def test_a_run_without_what_it_takes_is_refused(tracker: Tracker, tmp_path: Path) -> None:
    run_id = recorded(tracker, tmp_path / "a", predictions=False)
    assert refused(tmp_path, f"reproduce={run_id}") == (
        f"`reproduce` must be a run with tables/predictions.csv. Received: {run_id} (a run), without."
    )
    several = recorded(tracker, tmp_path / "b", "strategy=multi_worker", "resume=never")
    assert f"{several} (a run) has strategy=multi_worker" in refused(tmp_path, f"reproduce={several}")


def test_predictions_that_cannot_be_read_are_named(tracker: Tracker, tmp_path: Path) -> None:
    run_id = recorded(tracker, tmp_path)
    (tmp_path / "t" / "tables").mkdir(parents=True)
    (tmp_path / "t" / "tables" / "predictions.csv").write_text("a,b\n1,2\n")
    tracker.add_folder(run_id, tmp_path / "t" / "tables", "tables")
    assert refused(tmp_path, f"reproduce={run_id}").startswith(
        f"tables/predictions.csv of run {run_id} (a run) cannot be read: there must be columns row, label"
    )


@pytest.mark.parametrize("command", ["reproduce", "compress"])
def test_a_tampered_configuration_runs_no_code(tracker: Tracker, tmp_path: Path, command: str) -> None:
    attack = {"x": {"_target_": "psutil.Popen", "args": ["sh", "-c", f"id > {tmp_path / 'PWNED'}"]}}
    run_id = recorded(tracker, tmp_path, **{"+hydra.callbacks": attack, "hydra": {"callbacks": attack}})
    uri = f"tracking.uri=sqlite:///{tmp_path / 'mlflow.db'}"
    module, word = {"reproduce": ("fer_exp", f"reproduce={run_id}"), "compress": ("fer_exp.compress", run_id)}[command]
    done = processes.run(module, [word, uri], tmp_path, environment_for())
    assert done.returncode == 2, done.stdout
    assert "`+hydra.callbacks` is not an option of the configuration. Received: +hydra.callbacks={'x': {" in done.stderr
    assert "`hydra` is not an option of the configuration." in done.stderr
    assert not (tmp_path / "PWNED").exists()


def test_a_recorded_text_is_not_looked_up(tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", str(tmp_path))
    values = compose("dataset=fer2013", f"dataset.path={tmp_path}")["dataset"] | {"path": "${oc.env:SECRET}"}
    run_id = recorded(tracker, tmp_path, dataset=values)
    assert refused(tmp_path, f"reproduce={run_id}").startswith(
        "`dataset.path` must be an existing path. Received: dataset.path='${oc.env:SECRET}'."
    )
