"""A run's model becomes a version once, and the champion only where it is better by more than chance."""

import functools
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from answers import LABELS, answered
from made_run import make_run, tracker_of
from mlflow_server import Server, serving

from fer_exp.errors import ConfigError, ModelError
from fer_exp.options import config
from fer_exp.record import mlflow_run, outbox, registry
from fer_exp.run import sweep
from fer_exp.signature import model_name
from fer_exp.sync import sync
from fer_exp.tracking.mlflow import MlflowTracker


def right(count: int) -> np.ndarray:
    """The first so many answers are right."""
    return np.arange(len(LABELS)) < count


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> MlflowTracker:
    return tracker_of(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def runs(tracker: MlflowTracker, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Runs that have so many of 120 images right, one on other data, one without a model."""
    made = {
        str(count): make_run(tracker, tmp_path_factory.mktemp("run") / "r", answered(right(count)))
        for count in (60, 64, 100)
    }
    other = tmp_path_factory.mktemp("run") / "r"
    made["other"] = make_run(tracker, other, answered(right(120)), data_sha256="e" * 64)
    with tracker.run("bare", {}, {}, folder=tmp_path_factory.mktemp("bare")) as run:
        pass
    return {**made, "bare": run.run_id}


def test_the_first_version_is_the_champion_and_says_what_it_was_measured_on(
    tracker: MlflowTracker, runs: dict[str, str]
) -> None:
    said = registry.register(tracker, "first", runs["60"])
    assert said == "Registered as version 1 of first. It is the champion: there was none."
    found = registry.find(tracker, "first")
    assert (found.number, found.run_id) == ("1", runs["60"])
    assert (found.tags["data_sha256"], float(found.tags["accuracy"])) == ("d" * 64, 0.5)
    assert "macro_f1" in found.tags
    assert registry.find(tracker, "models:/first@champion") == registry.find(tracker, "models:/first/1") == found


def test_the_champion_changes_only_where_the_difference_is_more_than_chance(
    tracker: MlflowTracker, runs: dict[str, str]
) -> None:
    registry.register(tracker, "fer", runs["60"])
    said = registry.register(tracker, "fer", runs["64"])
    # 4 of 4 discordant pairs on one side: p = 2 / 2**4 = 0.125.
    assert said == (
        "Registered as version 2 of fer. The champion stays version 1: the new one is not significantly better; of 120 "
        "test images 4 are right with the new version alone, 0 with version 1 alone (McNemar, p = 0.12)."
    )
    said = registry.register(tracker, "fer", runs["100"])
    assert said.startswith("Registered as version 3 of fer. It is the champion: of 120 test images 40 are right")
    assert registry.find(tracker, "fer").run_id == runs["100"]


def test_a_version_tested_on_other_data_does_not_become_the_champion(
    tracker: MlflowTracker, runs: dict[str, str]
) -> None:
    registry.register(tracker, "mixed", runs["60"])
    said = registry.register(tracker, "mixed", runs["other"])
    assert said.endswith("The champion stays version 1: the two were not tested on the same data (data_sha256).")
    assert registry.find(tracker, "mixed").number == "1"


def test_registering_a_run_again_changes_nothing_even_when_the_champion_was_moved_by_hand(
    tracker: MlflowTracker, runs: dict[str, str]
) -> None:
    for count in ("60", "100"):
        registry.register(tracker, "twice", runs[count])
    tracker.registry.give_alias("twice", registry.CHAMPION, "1")
    assert registry.register(tracker, "twice", runs["100"]).startswith("Registered as version 2 of twice.")
    client = mlflow.MlflowClient(tracker.uri)
    assert len(client.search_model_versions("name = 'twice'")) == 2
    assert registry.find(tracker, "twice").number == "1"


def test_a_delivery_that_was_cut_off_after_the_version_was_made_is_completed(
    tracker: MlflowTracker, runs: dict[str, str]
) -> None:
    tracker.registry.register("cut", runs["60"], {})
    assert registry.register(tracker, "cut", runs["60"]).endswith(
        "version 1 of cut. It is the champion: there was none."
    )
    tracker.registry.register("cut alias", runs["60"], {})
    tracker.registry.give_alias("cut alias", registry.CHAMPION, "1")
    assert registry.register(tracker, "cut alias", runs["60"]).endswith("It is the champion.")


def test_a_run_without_a_model_cannot_be_registered(tracker: MlflowTracker, runs: dict[str, str]) -> None:
    with pytest.raises(ModelError, match=f"Run {runs['bare']} has logged no model that could be registered as fer"):
        registry.register(tracker, "fer", runs["bare"])


@pytest.mark.parametrize("word", ["nobody", "models:/nobody@champion", "models:/nobody/3", "models:/lone@best"])
def test_a_version_that_is_not_there_is_told(tracker: MlflowTracker, runs: dict[str, str], word: str) -> None:
    registry.register(tracker, "lone", runs["60"])
    with pytest.raises(ModelError, match=f"must be a registered model in sqlite.* Received: {word}, but there is no"):
        registry.find(tracker, word)


def test_a_sweep_registers_its_best_finished_child(
    tracker: MlflowTracker, runs: dict[str, str], tmp_path: Path
) -> None:
    tags = {"sweep": "seed", "monitor": "val/loss", registry.TAG: "swept"}
    said: list[str] = []
    opened = tracker.parent("sweep", tags, at_end=lambda run_id: said.append(sweep.finish(tracker, run_id)))
    with opened as parent:
        children = []
        for seed, loss in enumerate((0.5, 0.25)):
            child = tmp_path / str(seed)
            children.append(make_run(tracker, child, answered(right(60)), **{"sweep.seed": str(seed)}))
            tracker.log_summary(children[-1], {}, {"best_val/loss": loss})
        failing = tracker.run("failed", {}, {}, folder=tmp_path / "f")
        failing.__enter__().log_metrics({"best_val/loss": 0.1})
        assert not failing.__exit__(RuntimeError, RuntimeError(), None)
    assert registry.find(tracker, "swept").run_id == children[1]
    assert said == ["Registered as version 1 of swept. It is the champion: there was none."]
    assert sweep.finish(tracker, parent.run_id) == said[0]


def test_a_run_registers_itself_at_its_end(tracker: MlflowTracker, tmp_path: Path) -> None:
    at_end = functools.partial(registry.complete, tracker)
    run_id = make_run(tracker, tmp_path / "r", answered(right(60)), registered_model="own", at_end=at_end)
    assert registry.find(tracker, "own").run_id == run_id


def test_names_are_told_from_everything_else_a_model_can_be() -> None:
    assert model_name("fer 2013_best.v1") == "fer 2013_best.v1"
    for word in ("a/b", "a:b", "a@b", "", " a", "f" * 32, "a.tflite", "-" * 201):
        with pytest.raises(ValueError, match="a name of letters, digits"):
            model_name(word)


def test_a_name_that_cannot_be_registered_is_refused_before_anything_runs() -> None:
    from contracts import compose

    with pytest.raises(ConfigError) as caught:
        config.check(compose("registered_model=a/b"))
    assert "`registered_model` must be a name of letters, digits, spaces and ._-" in str(caught.value)
    assert "Received: registered_model='a/b'" in str(caught.value)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serving(tmp_path_factory.mktemp("server"))


@pytest.mark.whole
def test_with_a_server_that_goes_away_the_model_is_registered_by_sync(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mlflow_run, "_PATIENCE_SECONDS", 1.5)
    tracker = tracker_of(server.uri)
    folder, said = tmp_path / "outputs" / "run", list[str]()

    def at_end(run_id: str) -> None:
        if server.line.is_whole:
            server.line.cut()
        said.append(registry.complete(tracker, run_id))

    run_id = make_run(tracker, folder, answered(right(60)), registered_model="fer", at_end=at_end)
    assert said == []
    assert outbox.exists(folder)
    server.line.mend()
    screen = Console(record=True, width=500)
    assert sync([], [], screen) == 0
    assert "Registered as version 1 of fer. It is the champion: there was none." in screen.export_text()
    assert registry.find(tracker, "fer").run_id == run_id
    loaded = mlflow.pyfunc.load_model("models:/fer@champion")
    assert np.asarray(loaded.predict(np.zeros((1, 24, 24, 1), np.uint8))).shape == (1, 3)
