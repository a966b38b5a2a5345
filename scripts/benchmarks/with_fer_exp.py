"""This project: its pipeline, its models, its precision; as a plain `fit` or with everything a run brings along."""

import fer_exp  # noqa: F401  before TensorFlow, whose kernels it chooses

# isort: split
import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import keras
import tensorflow as tf
from omegaconf import OmegaConf
from rich.console import Console

from benchmarks.samples import CLASSES, grey
from benchmarks.stopwatch import train
from fer_exp.data.emotions import EMOTIONS
from fer_exp.dataset import Development, Split
from fer_exp.finetune import unfreeze
from fer_exp.fit import assembly, features, fitting
from fer_exp.fit.callbacks import Keeper, StopAtNaN
from fer_exp.fit.continuation import Continuation, Place
from fer_exp.fit.pipeline import evaluation_batches, training_batches
from fer_exp.fit.progress import TrainingProgress
from fer_exp.network import named
from fer_exp.options import config
from fer_exp.tracking import Run

_OPEN = contextlib.ExitStack()  # a database and its run, for as long as the process lives


def make(arguments: argparse.Namespace) -> Callable[[], tuple[int, float]]:
    """Returns the stretch of the contender that is asked for."""
    return train_with(arguments, *assemble(arguments))


def assemble(arguments: argparse.Namespace) -> tuple[config.Experiment, Development, assembly.Assembled]:
    """Returns the configuration, random data, and what is trained."""
    if arguments.threads:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    split = Split.of_images(*grey())
    splits = Development(split, split.take(slice(0, 256)), EMOTIONS, "0", "random")
    experiment = config.check(_configuration(arguments))
    return experiment, splits, assembly.assemble(experiment, splits, assembly.prepare(experiment))


def train_with(
    arguments: argparse.Namespace, experiment: config.Experiment, splits: Development, parts: assembly.Assembled
) -> Callable[[], tuple[int, float]]:
    """Returns the stretch of a contender made of the given parts."""
    kind, split = arguments.contender, splits.train
    steps = max(1, arguments.images // arguments.batch)
    data = training_batches(
        split, arguments.batch, seed=0, num_classes=CLASSES, augment=parts.augment, class_weights=None, epochs=1000
    )
    model = parts.model
    if kind.startswith("head"):
        unfreeze(model, 0.0)
    if kind == "head_cached":
        trunk, model = features.split_model(model)
        (name,) = named.shapes(model)
        found = features.compute(trunk, data.take(len(split) // arguments.batch), 1, name)
        data = features.batches_of(found, arguments.batch, seed=0)
    model = fitting.fitted(model, parts.objective)
    fitting.compile_for_training(model, config.build(experiment.optimizer, experiment.lr))
    if kind in ("bare_fit", "framework_fit"):
        return _epochs(arguments, experiment, splits, model, data, steps)

    def stretch() -> tuple[int, float]:
        seconds = train(model, keras.callbacks.Callback, data, steps, shuffle=False)
        return steps * arguments.batch, seconds

    return stretch


def _configuration(arguments: argparse.Namespace) -> dict[str, Any]:
    kind = arguments.contender
    augmentation = {"fer_exp_light": "light", "fer_exp_strong": "strong"}.get(kind, "none")
    overrides = [
        f"model={arguments.net}",
        f"augmentation={augmentation}",
        f"batch_size={arguments.batch}",
        f"precision={'mixed_bfloat16' if kind == 'fer_exp_bfloat16' else 'float32'}",
    ]
    if arguments.net.startswith("mobilenet"):
        overrides += [f"model.input_size={arguments.size}", f"model.alpha={arguments.alpha}", "model.weights=null"]
    if arguments.net == "fer_resnet":
        overrides += [f"model.input_size={arguments.size}", f"model.crop={arguments.size * 44 // 48}"]
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(config.CONF)):
        values = OmegaConf.to_container(hydra.compose("config", overrides), resolve=True)
    return {str(key): value for key, value in dict(values).items()}


def _epochs(
    arguments: argparse.Namespace,
    experiment: config.Experiment,
    splits: Development,
    model: keras.Model,
    data: tf.data.Dataset,
    steps: int,
) -> Callable[[], tuple[int, float]]:
    """Whole epochs with validation: bare, or with checkpoints, progress and MLflow as in a run."""
    val = evaluation_batches(splits.val, arguments.batch, CLASSES)
    folder = Path(_OPEN.enter_context(tempfile.TemporaryDirectory()))
    tracking = {**experiment.tracking, "uri": f"sqlite:///{folder / 'mlflow.db'}"}
    run: Run = _OPEN.enter_context(config.build(tracking).run("overhead", {}, {}, folder=folder))
    keeper = Keeper(experiment.checkpoint, model, len(splits.train), folder / "kept")
    state = Continuation(folder, "overhead", Place(0, (0,)), keeper, run.log_metrics, found=None)
    snapshots = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: state.keep(stage_is_over=False))
    epoch = 0

    def stretch() -> tuple[int, float]:
        nonlocal epoch
        began = time.perf_counter()
        progress = TrainingProgress(Console(quiet=True), "all", epoch, epoch + 1, steps, arguments.batch)
        state.set_model(model)
        own = [StopAtNaN(), keeper, progress, snapshots] if arguments.contender == "framework_fit" else []
        model.fit(
            data, steps_per_epoch=steps, initial_epoch=epoch, epochs=epoch + 1, validation_data=val, verbose=0,
            shuffle=False, callbacks=own,
        )  # fmt: skip
        epoch += 1
        return steps * arguments.batch, time.perf_counter() - began

    return stretch
