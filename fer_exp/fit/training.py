"""From splits to a trained model: stages, callbacks, the kept weights.

Called by `experiment`. It must not know MLflow or `.tflite`: what each epoch measured goes to the function it is given.
"""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import keras
import pandas as pd

from fer_exp.finetune import Stage, split_epochs, unfreeze
from fer_exp.fit import averaging, continuation, feed, fitting, snapshot, workers
from fer_exp.fit.assembly import Assembled, Fit
from fer_exp.fit.callbacks import Keeper, StopAtNaN, TellDivergence
from fer_exp.fit.continuation import Continuation, EpochLog, Place
from fer_exp.fit.progress import TrainingProgress
from fer_exp.options import config
from fer_exp.schedule import Schedule
from fer_exp.signature import log_key, log_mode

_STATISTICS_IMAGES = 2048  # enough for means and variances of channels, few beside an epoch


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


def train(fit: Fit, key: str, log_epoch: EpochLog) -> Trained:
    """Trains the assembled model, going on where an earlier attempt in the same folder ended.

    Args:
        fit: The training.
        key: What the training is made of; snapshots with another key are passed over.
        log_epoch: Called with the metrics of each epoch and its number, from 1; also for those of an earlier attempt.

    Raises:
        TrainingDivergedError: If the loss is no longer finite.
        StorageError: If the state cannot be kept, or what was kept does not fit.
    """
    experiment, parts, folder = fit.experiment, fit.parts, fit.folder
    keeper = Keeper(experiment.checkpoint, parts.model, len(fit.data.train), folder / snapshot.KEPT)
    found = snapshot.newest(folder, key)
    plan = list(zip(parts.stages, split_epochs(experiment.epochs, parts.stages), strict=True))
    begin, starts = 0, []
    if found is not None:
        keeper.rows, keeper.kept = found.state["rows"], tuple(found.state["kept"])
        for row in keeper.rows:
            continuation.report(row, log_epoch)
        starts = found.state["starts"]
        begin = found.state["stage"]
        continuation.put_back_model(found, parts.model)
        fit.screen.print(f"{found.epochs} of {experiment.epochs} epochs were completed before: going on from there")
        if found.state["stage_is_over"]:
            begin, found = begin + 1, None
    for number, (stage, epochs) in enumerate(plan[begin:], begin):
        if found is None:
            starts = [*starts, len(keeper.rows)]  # fewer than planned after an early stop; the next stage follows on
            if starts[-1]:
                keeper.restore()  # an early stop leaves weights behind that are worse than the kept ones
        place = Place(number, tuple(starts))
        state = Continuation(folder, key, place, keeper, log_epoch, found)
        _train_stage(fit, stage, epochs, state)
        found = None
    keeper.restore()
    best_epoch, best_value = keeper.kept
    return Trained(
        model=_as_float32(parts),
        history=pd.DataFrame(keeper.rows),
        stage_starts=[start + 1 for start in starts[1:]],
        best_epoch=best_epoch,
        best_value=best_value,
    )


def forget(folder: Path) -> None:
    """Removes what only serves to continue a training.

    Args:
        folder: As given to `train`.
    """
    for path in snapshot.left_in(folder):
        shutil.rmtree(path)


def _train_stage(fit: Fit, stage: Stage, epochs: int, state: Continuation) -> None:
    """Trains a stage of so many epochs, or what is left of it."""
    experiment, steps = fit.experiment, fit.steps
    first, begin = state.place.starts[-1], state.completed
    peak = experiment.schedule["peak"] * stage.lr_scale
    schedule: Schedule = config.build(experiment.schedule, epochs * steps, steps, peak=peak)
    learning = unfreeze(fit.parts.model, stage.unfreeze)
    fit.screen.print(f"stage {stage.name}: {epochs} epochs at peak lr {peak:g}, {learning:,} parameters learn")
    fed = feed.of_stage(fit, stage, (first, first + epochs))
    with fit.strategy.scope():
        optimizer = config.build(experiment.optimizer, schedule.learning_rate)
        fitting.compile_for_training(fed.model, optimizer)
        state.put_back_optimizer(fed.model)
    batches = fed.train(begin)
    workers.adapt(fed.model, batches)
    few = math.ceil(_STATISTICS_IMAGES / experiment.batch_size)
    progress = TrainingProgress(fit.screen, stage.name, begin, experiment.epochs, steps, experiment.batch_size)
    followers = [*schedule.callbacks, *_early_stopping(experiment)]
    state.watch(followers)
    try:
        with workers.explained():
            fed.model.fit(
                batches,
                epochs=first + epochs,
                initial_epoch=begin,
                steps_per_epoch=steps,
                validation_data=fed.val,
                callbacks=[
                    StopAtNaN(),
                    TellDivergence(fit.classes),
                    *averaging.callbacks(fed.model, lambda: fed.train(first).take(few)),
                    state.keeper,
                    progress,
                    *followers,
                    state,
                ],
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


def _as_float32(parts: Assembled) -> keras.Model:
    """Returns a float32, single-device twin: what is evaluated, logged and exported is one and the same model."""
    keras.mixed_precision.set_dtype_policy("float32")
    twin = parts.rebuild()
    twin.set_weights(parts.model.get_weights())
    return twin
