"""Replicas compute what one device computes. Logical devices are fixed at first use: a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from contracts import compose, node

from fer_exp.errors import ConfigError
from fer_exp.options import config

IMAGES = np.random.default_rng(1).normal([3.0, -1.0], [2.0, 0.5], (8, 4, 5, 2)).astype(np.float32)
PROGRAM = """
import json, sys
from pathlib import Path
import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from fer_exp.options import config
from fer_exp.fit.assembly import Fit
from fer_exp.fit import assembly, training
from fer_exp.network.batch_norm import BatchNormalization
from fer_exp.dataset import Split, Splits
from fer_exp.fit.distilling import Teacher
from fer_exp.errors import TrainingDivergedError

def tiny_backbone(input_shape, name, **ignored):
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, strides=4)(inputs)
    return keras.Model(inputs, keras.layers.BatchNormalization()(x), name=name)

keras.applications.MobileNet = tiny_backbone

def train(values, images, folder):
    # The name of the run says what is trained towards: labels, shares, or classes drawn from the shares.
    rng = np.random.default_rng(0)
    def split(n):
        labels = np.arange(n) % 3
        pixels = rng.integers(0, 80, (n, 8, 8, 1)) + 60 * labels[:, None, None, None]
        shares = (0.75 * np.eye(3) + 0.25 * np.roll(np.eye(3), 1, axis=1))[labels].astype(np.float32)
        targets = shares if values["name"] else None
        return Split.of_images(pixels.astype(np.uint8), labels, targets, drawn=values["name"] == "drawn")
    splits = Splits(split(images), split(9), split(3), ("angry", "happy", "sad"), "0", "test")
    experiment = config.check(values)
    strategy = assembly.prepare(experiment)
    parts = assembly.assemble(experiment, splits, strategy)
    plan = config.build(experiment.distillation)
    if plan:
        with strategy.scope():
            knowing = keras.layers.Dense(3, keras.activations.linear, kernel_initializer=keras.initializers.Constant(
                np.linspace(-1, 1, 192).reshape(64, 3) / 64))
            model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), knowing])
        parts = parts.taught_by(Teacher((model,), plan.temperature, plan.weight))
    try:
        trained = training.train(
            Fit(experiment, splits, strategy, parts, Console(quiet=True), Path(folder)), "key", lambda *_: None
        )
    except TrainingDivergedError as error:
        return {"error": str(error)}
    return {
        "replicas": strategy.num_replicas_in_sync,
        "history": trained.history.drop(columns="images_per_second").to_dict("list"),
        "weights": [w.ravel().tolist() for w in trained.model.get_weights()],
    }

def normalise(images, strategy, synchronized):
    with strategy.scope():
        layer = BatchNormalization(momentum=0.0, synchronized=synchronized)
        layer.build(images.shape)
    share = len(images) // strategy.num_replicas_in_sync
    shares = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(images[context.replica_id_in_sync_group * share :][:share])
    )
    outputs = tf.function(lambda: strategy.run(lambda x: layer(x, training=True), args=(shares,)))()
    parts = [part.numpy() for part in strategy.experimental_local_results(outputs)]
    return [np.concatenate(parts).tolist(), *(w.tolist() for w in layer.get_weights()[2:])]

trainings, images = json.loads(sys.argv[1])
results = {name: train(values, count, f"{sys.argv[2]}/{name}") for name, (values, count) in trainings.items()}
strategy = config.build(trainings["plain"][0]["strategy"])
for name, synchronized in (("layer", False), ("layer_synchronized", True)):
    results[name] = normalise(np.array(images, np.float32), strategy, synchronized)
print(json.dumps(results))
"""


def test_no_gpu_and_no_number_of_devices_is_refused_with_what_works_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(ConfigError) as caught:
        config.build(node("strategy", "mirrored"))
    assert str(caught.value) == (
        "`strategy.devices` null takes every GPU, but TensorFlow sees none. Use strategy=cpu, or try the set-up on "
        "logical CPUs with strategy.devices=2."
    )


def test_more_devices_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [object()] * 2)
    with pytest.raises(ConfigError) as caught:
        config.build(node("strategy", "mirrored", devices=3))
    assert str(caught.value) == "`strategy.devices` must be at most the 2 GPUs. Received: strategy.devices=3."


def trainings() -> dict[str, tuple[dict[str, Any], int]]:
    """Returns configurations, each with a number of training images, by name."""
    plain = compose(
        "strategy=mirrored", "strategy.devices=2", "batch_size=8", "epochs=2", "optimizer=sgd", "lr=0.5",
        "schedule=constant", "augmentation=none", "loss.class_weights={angry: 3.0, happy: 0.25}",
        "model.widths=[4,4]", "model.head_units=8", "model.batch_norm=false", "model.block_dropout=0.0",
        "model.head_dropout=0.0", "checkpoint.keep=last", "optimizer.ema_momentum=0.8", "precision=float32",
    )  # fmt: skip
    one_device = {"strategy": compose("strategy=cpu")["strategy"]}
    normalised = {
        "model": {**plain["model"], "batch_norm": True},
        "optimizer": {**compose("optimizer=adam")["optimizer"], "ema_momentum": 0.8},
        "schedule": {**plain["schedule"], "peak": 0.01},
    }
    muon = {
        "optimizer": {**compose("optimizer=muon")["optimizer"], "ema_momentum": 0.8},
        "schedule": {**plain["schedule"], "peak": 0.05},
    }
    synchronized = normalised | {"strategy": {**plain["strategy"], "synchronized_batch_norm": True}}
    small = compose("model=mobilenet_v1", "model.weights=null", "model.input_size=32", "model.dropout=0.0")["model"]
    staged = {"model": {**small, "head_units": 8}, "finetune": compose("finetune=staged")["finetune"], "epochs": 3}
    staged |= {"strategy": synchronized["strategy"], "name": "soft"}
    teacher = ("distillation=teacher", f"distillation.run={'0' * 32}", "distillation.temperature=1.0")
    taught = {"distillation": compose(*teacher, "distillation.weight=0.3")["distillation"], "name": "drawn"}
    return {
        "plain": (plain, 20),
        "taught": (plain | taught, 20),
        "taught_one": (plain | taught | one_device, 20),
        "plain_one": (plain | one_device, 20),
        "synchronized": (plain | synchronized, 20),
        "synchronized_one": (plain | normalised | one_device, 20),
        "staged": (plain | staged, 20),
        "staged_one": (plain | staged | one_device, 20),
        "muon": (plain | muon, 20),
        "muon_one": (plain | muon | one_device, 20),
        "normalised": (plain | normalised, 17),
        "diverging": (plain | {"schedule": {**plain["schedule"], "peak": 1e30}}, 20),
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process with two logical devices made of each training, and of one layer."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([trainings(), IMAGES.tolist()]),
         str(tmp_path_factory.mktemp("mirrored"))],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(Path(config.PACKAGE).parent)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.whole
@pytest.mark.parametrize("case", ["plain", "taught", "synchronized", "staged"])
def test_two_replicas_train_as_one_device_does(results: dict[str, Any], case: str) -> None:
    """SGD; a teacher, drawn labels; Adam, synchronized batch normalisation; stages, soft labels; all weighted."""
    mirrored, single = results[case], results[f"{case}_one"]
    assert (mirrored["replicas"], single["replicas"]) == (2, 1)
    for column in ("train/loss", "train/accuracy", "val/loss", "val/accuracy", "val/macro_f1"):
        assert mirrored["history"][column] == pytest.approx(single["history"][column], rel=2e-6), column
    for one, other in zip(mirrored["weights"], single["weights"], strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-6)
    first, second, *_ = single["history"]["train/loss"]
    assert abs(first - second) > 0.01  # else equal weights would prove little


@pytest.mark.whole
def test_two_replicas_step_as_one_device_with_muon(results: dict[str, Any]) -> None:
    """Making a gradient orthogonal enlarges what rounding has left of it."""
    mirrored, single = results["muon"], results["muon_one"]
    assert mirrored["history"]["train/loss"] == pytest.approx(single["history"]["train/loss"], rel=1e-4)
    for one, other in zip(mirrored["weights"], single["weights"], strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-3)
    first, second, *_ = single["history"]["train/loss"]
    assert abs(first - second) > 0.01


def normalised(images: np.ndarray) -> np.ndarray:
    return (images - images.mean((0, 1, 2))) / np.sqrt(images.var((0, 1, 2)) + 1e-3)


@pytest.mark.whole
def test_batch_normalisation_takes_each_replicas_own_statistics_and_remembers_their_mean(
    results: dict[str, Any],
) -> None:
    outputs, mean, variance = results["layer"]
    halves = IMAGES[:4], IMAGES[4:]
    np.testing.assert_allclose(outputs, np.concatenate([normalised(half) for half in halves]), atol=1e-4)
    np.testing.assert_allclose(mean, IMAGES.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, np.mean([half.var((0, 1, 2)) for half in halves], axis=0), rtol=1e-4)
    assert np.abs(np.array(outputs) - normalised(IMAGES)).max() > 0.01  # so that the halves are a difference at all


@pytest.mark.whole
def test_synchronized_batch_normalisation_takes_the_statistics_of_the_whole_batch(results: dict[str, Any]) -> None:
    outputs, mean, variance = results["layer_synchronized"]
    np.testing.assert_allclose(outputs, normalised(IMAGES), atol=1e-4)
    np.testing.assert_allclose(mean, IMAGES.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, IMAGES.var((0, 1, 2)), rtol=1e-4)


@pytest.mark.whole
def test_a_row_too_many_for_the_replicas_does_not_spoil_batch_normalisation(results: dict[str, Any]) -> None:
    # 17 rows in batches of 8: a last batch of one row would leave the second replica without any.
    weights = [value for tensor in results["normalised"]["weights"] for value in tensor]
    assert all(value == value for value in weights)  # no NaN
    assert all(value == value for value in results["normalised"]["history"]["val/loss"])


@pytest.mark.whole
def test_a_loss_that_is_not_finite_on_replicas_names_epoch_and_step(results: dict[str, Any]) -> None:
    assert results["diverging"]["error"].startswith("The loss became nan in epoch 1, step 2. Try a smaller lr")
