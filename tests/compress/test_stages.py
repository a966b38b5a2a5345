"""A chain is the configuration of its source, what the preset says, and what the user says, checked as a whole."""

from pathlib import Path

import pytest
from finished_runs import tracker_in
from small_chains import TWO, source

from fer_exp.compress import stages
from fer_exp.errors import ConfigError
from fer_exp.options import commandline, config
from fer_exp.tracking import Tracker

PRESETS = sorted(stages.FOLDER.glob("*.yaml"))
PREVIOUS = "f" * 32


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return tracker_in(tmp_path)


@pytest.fixture
def two(tmp_path: Path) -> str:
    path = tmp_path / "two.yaml"
    path.write_text(TWO)
    return str(path)


def checked(arguments: list[str]) -> config.Experiment:
    jobs = commandline.check(arguments)
    assert jobs is not None
    return jobs.first


def test_each_stage_is_the_source_then_the_preset_then_the_user(tracker: Tracker, tmp_path: Path, two: str) -> None:
    record = source(tracker, tmp_path, "schedule=plateau", "schedule.patience=2", "batch_size=64", "lr=0.1", "epochs=9")
    chain = stages.plan(tracker, record, two, ["optimizer=sgd", "again:epochs=4", "prune:pruning.ratio=0.25"])
    first, second = (checked(chain.arguments(number, PREVIOUS)) for number in range(2))
    assert first.pruning["run"] == second.pruning["run"] == PREVIOUS
    assert (first.pruning["ratio"], second.pruning["ratio"]) == (0.25, 0)
    assert first.schedule["_target_"].endswith("cosine.build")
    assert (first.schedule["peak"], second.schedule["patience"], second.schedule["peak"]) == (3e-4, 2, 0.1)
    assert (first.epochs, second.epochs, first.batch_size) == (2, 4, 64)
    assert first.option("optimizer") == second.option("optimizer") == "sgd"
    assert (first.option("export"), second.option("export")) == ("tflite", "none")
    assert first.name == "it's the source | prune"


def test_a_source_that_was_itself_pruned_is_pruned_as_the_preset_says(
    tracker: Tracker, tmp_path: Path, two: str
) -> None:
    own = ("pruning=channels", f"pruning.run={'0' * 32}", "pruning.threshold=0.1", "pruning.score=l1")
    chain = stages.plan(tracker, source(tracker, tmp_path, *own), two, [])
    pruning = checked(chain.arguments(0, chain.source.run_id)).pruning
    assert pruning["run"] == chain.source.run_id
    assert (pruning["threshold"], pruning["score"]) == (None, "batch_norm")


def test_the_same_command_has_the_same_fingerprint_wherever_things_go(
    tracker: Tracker, tmp_path: Path, two: str
) -> None:
    record = source(tracker, tmp_path)
    first, same, other = (
        stages.plan(tracker, record, two, more).fingerprint
        for more in ([], ["tracking.experiment=other"], ["prune:epochs=3"])
    )
    assert first == same != other


@pytest.mark.parametrize(
    ("words", "registered"),
    [
        ([], [None, None]),
        (["registered_model=small"], [None, "small"]),
        (["prune:registered_model=half"], ["half", None]),
        (["prune:registered_model=half", "registered_model=small"], ["half", "small"]),
    ],
)
def test_only_the_last_stage_is_registered_and_only_if_that_is_asked_for(
    words: list[str], registered: list[str | None], tracker: Tracker, tmp_path: Path, two: str
) -> None:
    chain = stages.plan(tracker, source(tracker, tmp_path, "registered_model=fer"), two, words)
    assert [checked(chain.arguments(number, PREVIOUS)).registered_model for number in range(2)] == registered
    assert chain.registered_model == registered[-1]


def test_all_mistakes_in_all_stages_come_at_once(tracker: Tracker, tmp_path: Path, two: str) -> None:
    with pytest.raises(ConfigError) as caught:
        stages.plan(tracker, source(tracker, tmp_path), two, ["prune:epochs=0", "again:pruning.ratio=2"])
    first, second = caught.value.problems
    assert first.startswith("`epochs` must be greater than 0. Received: epochs=0.")
    assert first.endswith("(stage prune)")
    assert second.startswith("`pruning.ratio` must be less than 1.")
    assert second.endswith("(stage again)")


def test_an_option_that_one_stage_takes_is_refused_with_the_way_to_give_it(
    tracker: Tracker, tmp_path: Path, two: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        stages.plan(tracker, source(tracker, tmp_path), two, ["export.qat_epochs=1"])
    assert caught.value.problems[-1] == (
        "`export.qat_epochs` can be given to a stage that takes it: prune:export.qat_epochs=1."
    )


def test_a_stage_that_is_not_there_is_named(tracker: Tracker, tmp_path: Path, two: str) -> None:
    with pytest.raises(ConfigError) as caught:
        stages.plan(tracker, source(tracker, tmp_path), two, ["distil:epochs=3"])
    assert str(caught.value) == ("`distil:epochs` must begin with a stage: prune, again. Received: distil:epochs=3.")


def test_a_chain_cannot_resume_a_single_run(tracker: Tracker, tmp_path: Path, two: str) -> None:
    with pytest.raises(ConfigError, match=f"`resume` of a chain must be auto or never. Received: resume={PREVIOUS}"):
        stages.plan(tracker, source(tracker, tmp_path), two, [f"resume={PREVIOUS}"])


def test_a_source_without_a_configuration_is_refused(tracker: Tracker, two: str, tmp_path: Path) -> None:
    with tracker.run("bare", {}, {}, folder=tmp_path) as run:
        pass
    record = tracker.record(run.run_id)
    assert record is not None
    with pytest.raises(ConfigError, match=r"must be a run with config/resolved.yaml. Received: \w+ \(bare\)"):
        stages.plan(tracker, record, two, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: []", "`stages` must"),
        ("stages: [{name: A, overrides: [lr=1]}]", "`stages.0.name` must"),
        ("stages: [{name: a, overrides: [lr=1]}, {name: a, overrides: [lr=1]}]", "must have different names"),
        ("steps: []", "`steps` is not an option of compression"),
        ("- a", "must be a mapping"),
        ("a: [", "must be yaml"),
    ],
)
def test_a_preset_that_is_no_chain_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "chain.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        stages.read(str(path))
    assert message in str(caught.value)


def test_a_preset_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError) as caught:
        stages.read("all")
    assert str(caught.value) == (
        "`compression` must be one of prune_distil_quantize, prune_in_rounds, or a yaml file. "
        "Received: compression=all."
    )


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    "overrides",
    [
        ("experiment=article_mobilenet", "model.weights=null"),
        ("experiment=article_cnn",),
        ("optimizer=sgd", "epochs=99"),
    ],
)
def test_every_preset_fits_every_kind_of_source(
    path: Path, overrides: tuple[str, ...], tracker: Tracker, tmp_path: Path
) -> None:
    chain = stages.plan(tracker, source(tracker, tmp_path, *overrides), path.stem, [])
    for number in range(len(chain.stages)):
        assert checked(chain.arguments(number, PREVIOUS)).finetune == {"_target_": "fer_exp.finetune.none.build"}
    assert "python -m fer_exp.compress <run id>" in path.read_text()
