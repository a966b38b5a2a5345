"""A training takes over the weights of a finished run that fits, slim or whole, and refuses others by name."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from contracts import compose
from finished_runs import SPLITS, record, tracker_in
from slim_models import SHAPE, SMALL, built, images

from fer_exp.data.inputs import image
from fer_exp.errors import ConfigError
from fer_exp.fit import assembly
from fer_exp.network import cost, recorded_model
from fer_exp.network.slim import channel_groups, inheritance, slimming
from fer_exp.network.slim.inheritance import Inheritance
from fer_exp.options import config
from fer_exp.tracking import Tracker

NOBODY = "0" * 32


@pytest.fixture(autouse=True)
def _leave_no_policy() -> Iterator[None]:
    yield
    keras.mixed_precision.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def tracker(folder: Path) -> Tracker:
    return tracker_in(folder)


@pytest.fixture(scope="module")
def source(tracker: Tracker, folder: Path) -> str:
    return record(tracker, folder / "source", SMALL["cnn"], built(*SMALL["cnn"]))


def options(run: str, *more: str) -> tuple[str, ...]:
    return (
        *(f"pruning.run={run}", "pruning=channels", "pruning.ratio=0.5", "pruning.divisor=1"),
        *("pruning.min_channels=1", *more),
    )


def inherit(tracker: Tracker, *overrides: str) -> Inheritance:
    experiment = config.check(compose(*overrides))
    return inheritance.of(config.build(experiment.pruning), tracker, experiment, SPLITS)


@pytest.mark.parametrize("score", ["batch_norm", "taylor"])
@pytest.mark.parametrize("name", ["cnn", "fer_resnet", "mobilenet_v1", "mobilenet_v2"])
def test_the_built_model_answers_as_the_slimmed_source_does(
    name: str, score: str, tracker: Tracker, tmp_path: Path
) -> None:
    """Over a file: the order of weights in a loaded model must be that of a built one."""
    model = built(*SMALL[name])
    run = record(tracker, tmp_path / "run", SMALL[name], model)
    found = inherit(tracker, *SMALL[name], *options(run, f"pruning.score={score}"))
    assert found.table is not None
    channels = channel_groups.analyse(model)
    kept = [
        np.setdiff1d(np.arange(before), np.array(removed.split(), int))
        for before, removed in zip(found.table["channels_before"], found.table["removed"], strict=True)
    ]
    expected = slimming.slim(model, channels, kept)(images()).numpy()
    fresh = config.build(compose(*SMALL[name])["model"], image(SHAPE), 7)
    taken = found.put_into(fresh)
    np.testing.assert_allclose(taken(images()).numpy(), expected, rtol=1e-4, atol=1e-5)
    assert cost.multiply_adds(taken).total <= 0.5 * cost.multiply_adds(model).total
    assert int(found.tags["multiply_adds_before"]) == cost.multiply_adds(model).total
    assert found.tags["parameters_before"] == model.count_params()


def test_a_pruned_run_can_be_gone_on_with_and_pruned_again(tracker: Tracker, source: str, folder: Path) -> None:
    first = inherit(tracker, *SMALL["cnn"], *options(source))
    slim = first.put_into(config.build(compose(*SMALL["cnn"])["model"], image(SHAPE), 7))
    run = record(tracker, folder / "slim", SMALL["cnn"], slim)
    whole = inherit(tracker, *SMALL["cnn"], *options(run, "pruning.ratio=0"))
    again = inherit(tracker, *SMALL["cnn"], *options(run))
    gone_on = whole.put_into(config.build(compose(*SMALL["cnn"])["model"], image(SHAPE), 7))
    np.testing.assert_allclose(gone_on(images()).numpy(), slim(images()).numpy(), rtol=1e-5)
    assert dict(whole.tags) == {"started_from": run}
    slimmer = again.put_into(config.build(compose(*SMALL["cnn"])["model"], image(SHAPE), 7))
    assert cost.multiply_adds(slimmer).total <= 0.5 * cost.multiply_adds(slim).total


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_an_assembled_training_is_slim_in_its_precision_and_so_is_its_twin(
    precision: str, source: str, folder: Path
) -> None:
    overrides = (f"tracking.uri=sqlite:///{folder / 'mlflow.db'}", "batch_size=7", f"precision={precision}")
    experiment = config.check(compose(*SMALL["cnn"], *overrides, *options(source)))
    parts = assembly.assemble(experiment, SPLITS, assembly.prepare(experiment))
    first = next(layer for layer in parts.model.layers if isinstance(layer, keras.layers.SeparableConv2D))
    assert first.compute_dtype == precision.removeprefix("mixed_")
    assert parts.weights_origin == f"run {source}"
    keras.mixed_precision.set_dtype_policy("float32")
    twin = parts.rebuild()
    assert [w.shape for w in twin.get_weights()] == [w.shape for w in parts.model.get_weights()]
    assert parts.multiply_adds == cost.multiply_adds(twin).total < 0.5 * cost.multiply_adds(built(*SMALL["cnn"])).total


@pytest.mark.parametrize("score", ["batch_norm", "taylor"])
def test_the_same_run_gives_the_same_weights_again(score: str, tracker: Tracker, source: str) -> None:
    chosen = options(source, f"pruning.score={score}")
    first, second = (inherit(tracker, *SMALL["cnn"], *chosen).weights for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_run_that_is_not_there_is_named(tracker: Tracker) -> None:
    with pytest.raises(ConfigError, match=f"Received: {NOBODY}, which is not there"):
        inherit(tracker, *SMALL["cnn"], *options(NOBODY))


def test_a_run_that_has_not_finished_is_refused(tracker: Tracker, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), tracker.run("cut off", {}, {}, folder=tmp_path) as run:
        raise KeyboardInterrupt
    with pytest.raises(ConfigError, match=r"`pruning.run` must have finished. Received: \w+ \(cut off\), which is KIL"):
        inherit(tracker, *SMALL["cnn"], *options(run.run_id))


def test_each_key_of_the_model_that_differs_is_named(tracker: Tracker, source: str) -> None:
    with pytest.raises(ConfigError) as caught:
        inherit(tracker, "model=cnn", "model.widths=[8,12]", "model.l2=0.1", "model.head_units=24", *options(source))
    assert list(caught.value.problems) == [
        f"`model.l2` must be as in `pruning.run`: {source} (source) has 0.0. Received: model.l2=0.1.",
        f"`model.widths` must be as in `pruning.run`: {source} (source) has [8, 12, 8, 16]. "
        "Received: model.widths=[8, 12].",
    ]
    with pytest.raises(ConfigError) as caught:
        inherit(tracker, *SMALL["fer_resnet"], *options(source))
    assert str(caught.value) == (
        f"`model` must be that of `pruning.run`: {source} (source) has model=cnn. Received: fer_resnet."
    )


def test_a_run_without_a_model_is_refused(tracker: Tracker, tmp_path: Path) -> None:
    run = record(tracker, tmp_path / "run", SMALL["cnn"], None)
    with pytest.raises(ConfigError, match=r"must have recorded model/model.keras, and has not. Received: \w+ \(source"):
        inherit(tracker, *SMALL["cnn"], *options(run))


def test_a_model_of_other_classes_or_images_is_refused(tracker: Tracker, tmp_path: Path) -> None:
    names = SPLITS.class_names[::-1]
    run = record(tracker, tmp_path / "one", SMALL["cnn"], built(*SMALL["cnn"]), class_names=names)
    with pytest.raises(ConfigError, match="must tell the classes of this data set apart, in their order: angry") as one:
        inherit(tracker, *SMALL["cnn"], *options(run))
    assert f"Its classes: {', '.join(names)}." in str(one.value)
    larger = config.build(compose(*SMALL["cnn"])["model"], image((48, 48, 3)), 7)
    run = record(tracker, tmp_path / "two", SMALL["cnn"], larger)
    with pytest.raises(ConfigError, match="must take image 32x32x1 as the data set has it; it takes 48x48x3"):
        inherit(tracker, *SMALL["cnn"], *options(run))


def test_a_file_that_would_run_code_or_is_none_is_refused(
    tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = keras.Input(SHAPE)
    x = keras.layers.Lambda(lambda image: image * 2)(inputs)
    coded = keras.Model(inputs, keras.layers.Dense(7)(keras.layers.Flatten()(x)))
    run = record(tracker, tmp_path / "coded", SMALL["cnn"], coded)
    with pytest.raises(ConfigError, match="must have a model that Keras loads without running code"):
        inherit(tracker, *SMALL["cnn"], *options(run))
    monkeypatch.setattr(recorded_model, "_MOST_BYTES", 1000)
    with pytest.raises(ConfigError, match="must have a model of at most 1,000 bytes; it has"):
        inherit(tracker, *SMALL["cnn"], *options(run))


def test_a_model_of_other_layers_under_the_same_options_is_refused(tracker: Tracker, tmp_path: Path) -> None:
    inputs = keras.Input(SHAPE)
    other = keras.Model(inputs, keras.layers.Dense(7)(keras.layers.Flatten()(inputs)))
    run = record(tracker, tmp_path / "other", SMALL["cnn"], other)
    found = inherit(tracker, *SMALL["cnn"], *options(run, "pruning.ratio=0"))
    with pytest.raises(ConfigError, match=r"`pruning.run` must be a run of this model: run \w+ has other layers"):
        found.put_into(config.build(compose(*SMALL["cnn"])["model"], image(SHAPE), 7))


def test_other_data_are_warned_about(tracker: Tracker, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    inherit(tracker, *SMALL["cnn"], *options(record(tracker, tmp_path / "a", SMALL["cnn"], built(*SMALL["cnn"]))))
    assert not caplog.messages
    run = record(tracker, tmp_path / "b", SMALL["cnn"], built(*SMALL["cnn"]), data_sha256="0")
    inherit(tracker, *SMALL["cnn"], *options(run))
    assert "was trained on other data than this run" in caplog.text
