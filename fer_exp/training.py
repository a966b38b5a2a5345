"""From splits to a trained model: stages, callbacks, the kept weights.

Called by `experiment`. It must not know MLflow or `.tflite`: what each epoch measured goes to the function it is given.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from rich.console import Console

from fer_exp import config
from fer_exp.callbacks import EpochLog, Keeper, StopAtNaN
from fer_exp.dataset import Split, Splits
from fer_exp.errors import ConfigError
from fer_exp.finetune import Stage, split_epochs, unfreeze
from fer_exp.loss import Objective
from fer_exp.pipeline import Augment, evaluation_batches, steps_in, training_batches
from fer_exp.progress import TrainingProgress
from fer_exp.schedule import Schedule
from fer_exp.signature import log_key, log_mode

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assembled:
    """What is trained, and how.

    Attributes:
        model: The uncompiled model, in the precision it trains in.
        objective: Loss and class weights.
        stages: The fine-tuning plan.
        augment: Batch function of the training split.
        weights_origin: Where the model's first weights came from.
        precision: Number format it computes in.
    """

    model: keras.Model
    objective: Objective
    stages: tuple[Stage, ...]
    augment: Augment
    weights_origin: str
    precision: str


@dataclass(frozen=True)
class Trained:
    """The result of a training.

    Attributes:
        model: float32 model with the kept weights, (batch, height, width, channels) in [0, 255] -> logits.
        history: One row for each epoch, columns as in MLflow.
        stage_starts: First epoch of each stage but the first, from 1.
        best_epoch: Epoch of the kept weights, from 1.
        best_value: Monitored metric at that epoch.
    """

    model: keras.Model
    history: pd.DataFrame
    stage_starts: list[int]
    best_epoch: int
    best_value: float


def choose_precision(precision: str) -> str:
    """Returns the number format for `auto`: mixed_float16 on a GPU, else float32.

    The models here are separable or depthwise, for which bfloat16 brought nothing on the CPUs that have it.
    """
    if precision != "auto":
        return precision
    return "mixed_float16" if tf.config.get_visible_devices("GPU") else "float32"


def prepare(experiment: config.Experiment) -> tf.distribute.Strategy:
    """Sets devices, seeds, determinism and precision; nothing of an earlier run in this process is left.

    Raises:
        ConfigError: If the devices asked for are not there, or the batch does not divide by the replicas.
    """
    keras.backend.clear_session()
    strategy = config.build(experiment.strategy)
    replicas = strategy.num_replicas_in_sync
    if experiment.batch_size % replicas:
        raise ConfigError(
            [
                f"`batch_size` must be divisible by the {replicas} replicas of "
                f"strategy={experiment.option('strategy')}. Received: batch_size={experiment.batch_size}."
            ]
        )
    keras.utils.set_random_seed(experiment.seed)
    if experiment.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.mixed_precision.set_dtype_policy(choose_precision(experiment.precision))
    return strategy


def assemble(experiment: config.Experiment, splits: Splits, strategy: tf.distribute.Strategy) -> Assembled:
    """Builds everything a user's mistake can still break, before the run is recorded.

    Args:
        experiment: The checked configuration.
        splits: The data; the labels of the training split are counted.
        strategy: From `prepare`.

    Raises:
        ConfigError: If class weights do not fit the classes.
        WeightsError: If the model's weights cannot be loaded.
    """
    num_classes = len(splits.class_names)
    counts = np.bincount(splits.train.labels, minlength=num_classes).tolist()
    objective = config.build(experiment.loss, counts, splits.class_names)
    stages: tuple[Stage, ...] = config.build(experiment.finetune)
    steps = steps_in(splits.train, experiment.batch_size, strategy.num_replicas_in_sync)
    config.build(experiment.schedule, experiment.epochs * steps, steps)
    with strategy.scope():
        model = config.build(experiment.model, splits.image_shape, num_classes)
    origin = getattr(model, "weights_origin", "random")
    if len(stages) > 1 and origin.startswith("random"):
        log.warning("finetune=%s freezes a backbone that has random weights.", experiment.option("finetune"))
    return Assembled(
        model=model,
        objective=objective,
        stages=stages,
        augment=config.build(experiment.augmentation),
        weights_origin=origin,
        precision=keras.mixed_precision.dtype_policy().name,
    )


def train(
    experiment: config.Experiment,
    splits: Splits,
    strategy: tf.distribute.Strategy,
    parts: Assembled,
    folder: Path,
    console: Console,
    log_epoch: EpochLog,
) -> Trained:
    """Trains the assembled model.

    Args:
        experiment: The checked configuration.
        splits: The data; the test split is not looked at.
        strategy: From `prepare`.
        parts: From `assemble`.
        folder: Where the checkpoint goes.
        console: Where the progress goes.
        log_epoch: Called with the metrics of each epoch and its number, from 1.

    Raises:
        TrainingDivergedError: If the loss is no longer finite.
    """
    model = parts.model
    keeper = Keeper(experiment.checkpoint, len(splits.train), folder / "checkpoint.weights.h5", log_epoch)
    epoch, starts = 0, []
    for stage, epochs in zip(parts.stages, split_epochs(experiment.epochs, parts.stages), strict=True):
        if epoch:
            starts.append(epoch + 1)
            keeper.restore(model)  # an early stop leaves weights behind that are worse than the kept ones
        _train_stage(experiment, splits, strategy, parts, stage, (epoch, epoch + epochs), keeper, console)
        epoch = len(keeper.rows)  # less than planned after an early stop; the next stage follows on
    keeper.restore(model)
    best_epoch, best_value = keeper.kept
    return Trained(
        model=_as_float32(experiment, splits, model),
        history=pd.DataFrame(keeper.rows),
        stage_starts=starts,
        best_epoch=best_epoch,
        best_value=best_value,
    )


def predict(model: keras.Model, images: np.ndarray, batch_size: int) -> np.ndarray:
    """Returns probabilities float32 (n, classes) of uint8 images (n, height, width, channels)."""
    logits = [
        model(images[start : start + batch_size].astype(np.float32), training=False).numpy()
        for start in range(0, len(images), batch_size)
    ]
    return tf.nn.softmax(np.concatenate(logits)).numpy()


def augmented_sample(
    split: Split, augment: Augment, num_classes: int, seed: int, most: int = 128
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first images of the split as augmentation leaves them, uint8, and the labels of their larger part."""
    few = split.take(slice(0, most))
    images, labels = augment(
        tf.constant(few.images, tf.float32), tf.one_hot(few.labels, num_classes), tf.constant([seed, 0], tf.int32)
    )
    return tf.cast(tf.round(images), tf.uint8).numpy(), labels.numpy().argmax(axis=1)


def _train_stage(
    experiment: config.Experiment,
    splits: Splits,
    strategy: tf.distribute.Strategy,
    parts: Assembled,
    stage: Stage,
    epochs: tuple[int, int],
    keeper: Keeper,
    console: Console,
) -> None:
    """Trains epochs `epochs[0]` (from 0) up to, not including, `epochs[1]`."""
    first, last = epochs
    model = parts.model
    num_classes = len(splits.class_names)
    steps = steps_in(splits.train, experiment.batch_size, strategy.num_replicas_in_sync)
    peak = experiment.schedule["peak"] * stage.lr_scale
    schedule: Schedule = config.build(experiment.schedule, (last - first) * steps, steps, peak=peak)
    with strategy.scope():
        learning = unfreeze(model, stage.unfreeze)
        model.compile(
            optimizer=config.build(experiment.optimizer, schedule.learning_rate),
            loss=parts.objective.loss,
            metrics=[
                keras.metrics.CategoricalAccuracy(name="accuracy"),
                keras.metrics.F1Score(average="macro", name="macro_f1"),
            ],
        )
    console.print(f"stage {stage.name}: {last - first} epochs at peak lr {peak:g}, {learning:,} parameters learn")
    batches = training_batches(
        splits.train,
        experiment.batch_size,
        seed=experiment.seed,
        num_classes=num_classes,
        augment=parts.augment,
        class_weights=parts.objective.class_weights,
        first_epoch=first,
        replicas=strategy.num_replicas_in_sync,
    )
    progress = TrainingProgress(console, stage.name, first, experiment.epochs, steps, experiment.batch_size)
    try:
        model.fit(
            batches,
            epochs=last,
            initial_epoch=first,
            steps_per_epoch=steps,
            validation_data=evaluation_batches(splits.val, experiment.batch_size, num_classes),
            callbacks=[StopAtNaN(), keeper, progress, *schedule.callbacks, *_early_stopping(experiment)],
            shuffle=False,  # the batches come shuffled
            verbose=0,
        )
    finally:
        progress.close()


def _early_stopping(experiment: config.Experiment) -> list[keras.callbacks.Callback]:
    if experiment.early_stopping is None:
        return []
    stop = experiment.early_stopping
    return [
        keras.callbacks.EarlyStopping(
            monitor=log_key(stop.monitor),
            mode=log_mode(stop.monitor),
            patience=stop.patience,
            min_delta=stop.min_delta,
        )
    ]


def _as_float32(experiment: config.Experiment, splits: Splits, model: keras.Model) -> keras.Model:
    """Returns a float32, single-device twin: what is evaluated, logged and exported is one and the same model."""
    keras.mixed_precision.set_dtype_policy("float32")
    changes = {"weights": None} if "weights" in experiment.model else {}
    twin = config.build(experiment.model, splits.image_shape, len(splits.class_names), **changes)
    twin.set_weights(model.get_weights())
    return twin
