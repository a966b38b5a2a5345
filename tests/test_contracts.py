"""Every option keeps the contract of its group, also one that has no test of its own: the yamls are found by a glob."""

import math
from pathlib import Path

import augmentation_contract
import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT
from contracts import compose, node

from fer_exp.data.inputs import Spec
from fer_exp.dataset import Splits, gives
from fer_exp.errors import ConfigError
from fer_exp.loss import Objective
from fer_exp.model import takes
from fer_exp.network import cost, named
from fer_exp.options import config
from fer_exp.schedule import Schedule
from fer_exp.signature import read

CLASSES = ("angry", "happy", "sad")
SHAPES = {"image": (48, 48, 1), "clip": (4, 48, 48, 1), "sound": (800,)}


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))


def test_the_glob_finds_the_options() -> None:
    assert {"cnn", "fer_resnet"} <= set(options("model"))
    assert {"cosine", "plateau"} <= set(options("schedule"))


@pytest.mark.parametrize("option", options("model"))
def test_a_model_takes_what_it_says_and_gives_logits(option: str) -> None:
    chosen = node("model", option)
    if "weights" in chosen:
        chosen["weights"] = None
    keras.utils.set_random_seed(0)
    specs = {f"the_{kind}": Spec(f"the_{kind}", kind, SHAPES[kind]) for kind in takes(chosen["_target_"])}
    model: keras.Model = config.build(chosen, specs, len(CLASSES))
    assert named.shapes(model) == {name: spec.shape for name, spec in specs.items()}
    assert model.output_shape == (None, len(CLASSES))
    assert not model.compiled
    assert model.get_layer("logits").output is model.output
    random = np.random.default_rng(0)
    given = {
        name: random.uniform(*spec.about.limits, (2, *spec.shape)).astype(np.float32) for name, spec in specs.items()
    }
    logits = named.call(model, given)
    assert (logits.dtype, bool(np.isfinite(logits).all())) == (tf.float32, True)
    assert not np.allclose(np.sum(logits, axis=1), 1)  # logits, not probabilities
    counted = cost.multiply_adds(model)
    assert counted.total > 0
    assert counted.uncounted == ()
    twin = keras.Model.from_config(model.get_config())
    twin.set_weights(model.get_weights())
    np.testing.assert_allclose(named.call(twin, given), logits, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("option", options("loss"))
def test_a_loss_takes_hard_and_soft_labels_and_prefers_the_right_answer(option: str) -> None:
    objective: Objective = config.build(node("loss", option), (4, 2, 4), CLASSES)
    right, wrong = tf.constant([[4.0, 0.0, 0.0]]), tf.constant([[0.0, 4.0, 0.0]])
    for label in ([[1.0, 0.0, 0.0]], [[0.7, 0.2, 0.1]]):
        found = [objective.loss.call(tf.constant(label), logits) for logits in (right, wrong)]
        assert [loss.shape.as_list() for loss in found] == [[1], [1]]
        assert float(found[0][0]) < float(found[1][0])
    for given in (objective.class_weights, objective.logit_offsets):
        assert given is None or len(given) == len(CLASSES)


@pytest.mark.parametrize("option", options("optimizer"))
def test_an_optimizer_goes_downhill_and_takes_a_schedule(option: str) -> None:
    for rate in (0.05, keras.optimizers.schedules.CosineDecay(0.05, 100)):
        keras.utils.set_random_seed(0)
        weights = [keras.Variable(np.random.default_rng(0).normal(size=(6, 5))), keras.Variable(np.ones(5))]
        optimizer: keras.optimizers.Optimizer = config.build(node("optimizer", option), rate)
        losses = []
        for _ in range(30):
            with tf.GradientTape() as tape:
                loss = tf.add_n([tf.reduce_sum(tf.square(weight)) for weight in weights])
            optimizer.apply_gradients(zip(tape.gradient(loss, [w.value for w in weights]), weights, strict=True))
            losses.append(float(loss))
        assert losses[-1] < losses[0]
        assert all(map(math.isfinite, losses))


@pytest.mark.parametrize("option", options("schedule"))
def test_a_schedule_starts_from_the_learning_rate_and_stays_below_it(option: str) -> None:
    assert "\npeak: ${lr}" in (ROOT / "conf" / "schedule" / f"{option}.yaml").read_text()
    made: Schedule = config.build(node("schedule", option), 40, 10, peak=0.02)
    rate = made.learning_rate
    values = [rate] if isinstance(rate, float) else [float(rate(step)) for step in range(41)]
    assert all(0 <= value <= 0.02 * 1.0001 for value in values)
    assert max(values) == pytest.approx(0.02, rel=0.05)
    assert all(isinstance(callback, keras.callbacks.Callback) for callback in made.callbacks)


def test_a_schedule_without_a_peak_is_told_before_anything_runs() -> None:
    experiment = config.check(compose("schedule=constant"))
    without = experiment.model_copy(update={"schedule": {"_target_": "fer_exp.schedule.constant.build"}})
    with pytest.raises(ConfigError, match=r"`schedule.peak` must be an option of schedule=constant"):
        raise ConfigError(list(config._cross_field_problems(without)))


@pytest.mark.parametrize("option", options("augmentation"))
def test_an_augmentation_keeps_shape_range_and_labels_and_follows_its_seed(option: str) -> None:
    augmentation_contract.check_contract(option)


@pytest.mark.parametrize("option", options("dataset"))
def test_a_data_set_says_which_files_it_lacks_or_makes_its_images(option: str, tmp_path: Path) -> None:
    target = compose()["dataset"]["_target_"].replace("synthetic", option)
    signature = read(target)
    if signature.input_paths or option == "combine":
        with pytest.raises(ConfigError, match=r"`dataset\..*` must be (an existing path|given)"):
            config.check(compose(f"dataset={option}", *_missing(signature.input_paths, option, tmp_path)))
        return
    few = {key: 14 for key in signature.options if key.endswith("_size") and key != "image_size"}
    chosen = node("dataset", option, cache_dir=str(tmp_path), **few)
    splits: Splits = config.build(chosen)
    assert splits.train.kinds == gives(chosen)
    for split in (splits.train, splits.val, splits.test):
        assert split.specs == splits.specs
        for name, spec in split.specs.items():
            assert (split.inputs[name].dtype, spec.fits()) == (spec.about.dtype, True)
            assert len(split.labels) == len(split.inputs[name])
        assert set(split.labels.tolist()) <= set(range(len(splits.class_names)))
    assert len(splits.sha256) == 64


def _missing(paths: tuple[str, ...], option: str, folder: Path) -> list[str]:
    if option == "combine":
        return [f"dataset.sources.fer2013.path={folder / 'missing'}"]
    return [f"dataset.{paths[0]}={folder / 'missing'}"]


@pytest.mark.parametrize("group", ["model", "loss", "optimizer", "schedule", "dataset", "augmentation"])
def test_every_option_of_a_builder_is_documented(group: str) -> None:
    for option in options(group):
        signature = read(f"fer_exp.{group}.{option}.build")
        assert set(signature.options) <= set(signature.docs), option
