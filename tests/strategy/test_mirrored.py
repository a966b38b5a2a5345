"""Replicas compute what one device computes. Logical devices are fixed at first use: a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from contracts import compose, node

from fer_exp import config
from fer_exp.errors import ConfigError

PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from rich.console import Console
from fer_exp import assembly, config, training
from fer_exp.dataset import Split, Splits

def train(values, images, folder):
    rng = np.random.default_rng(0)
    def split(n):
        labels = np.arange(n) % 3
        pixels = rng.integers(0, 80, (n, 8, 8, 1)) + 60 * labels[:, None, None, None]
        return Split(pixels.astype(np.uint8), labels)
    splits = Splits(split(images), split(9), split(3), ("angry", "happy", "sad"), "0", "test")
    experiment = config.check(values)
    strategy = assembly.prepare(experiment)
    parts = assembly.assemble(experiment, splits, strategy)
    trained = training.train(
        experiment, splits, strategy, parts, Path(folder), "key", Console(quiet=True), lambda *_: None
    )
    return {
        "replicas": strategy.num_replicas_in_sync,
        "history": trained.history.drop(columns="images_per_second").to_dict("list"),
        "weights": [w.ravel().tolist() for w in trained.model.get_weights()],
    }

plain, normalised = json.loads(sys.argv[1])
one = {"_target_": "fer_exp.strategy.cpu.build", "threads": None}
folder = sys.argv[2]
results = [train(plain, 20, folder + "/mirrored"), train(plain | {"strategy": one}, 20, folder + "/one"),
           train(normalised, 17, folder + "/normalised")]
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


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Two replicas, one device, and two replicas with batch normalisation and a row too many."""
    folder = tmp_path_factory.mktemp("mirrored")
    plain = compose(
        "strategy=mirrored", "strategy.devices=2", "batch_size=8", "epochs=2", "optimizer=sgd", "lr=0.5",
        "schedule=constant", "augmentation=none", "loss.class_weights=auto", "model.widths=[4,4]", "model.head_units=8",
        "model.batch_norm=false", "model.block_dropout=0.0", "model.head_dropout=0.0", "checkpoint.keep=last",
        "optimizer.ema_momentum=0.8",
        "precision=float32",
    )  # fmt: skip
    normalised = {
        **plain, "model": {**plain["model"], "batch_norm": True},
        "optimizer": {**compose("optimizer=adam")["optimizer"], "ema_momentum": 0.8},
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([plain, normalised]), str(folder)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(Path(config.PACKAGE).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_two_replicas_train_as_one_device_does(results: list[dict[str, Any]]) -> None:
    mirrored, single, _ = results
    assert (mirrored["replicas"], single["replicas"]) == (2, 1)
    for column in ("train/loss", "train/accuracy", "val/loss", "val/accuracy", "val/macro_f1"):
        assert mirrored["history"][column] == pytest.approx(single["history"][column], rel=1e-5), column
    for one, other in zip(mirrored["weights"], single["weights"], strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-6)
    first, second = single["history"]["train/loss"]
    assert abs(first - second) > 0.01  # else equal weights would prove little


def test_a_row_too_many_for_the_replicas_does_not_spoil_batch_normalisation(results: list[dict[str, Any]]) -> None:
    # 17 rows in batches of 8: a last batch of one row would leave the second replica without any.
    weights = [value for tensor in results[2]["weights"] for value in tensor]
    assert all(value == value for value in weights)  # no NaN
    assert all(value == value for value in results[2]["history"]["val/loss"])
