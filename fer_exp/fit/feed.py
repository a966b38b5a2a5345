"""What a stage of a training is fitted on: inputs, or features of a few views where the backbone is frozen.

Called by `training` and `fine_tuning`. It must not know rates, callbacks or files.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf
from rich.progress import track

from fer_exp.finetune import Stage
from fer_exp.fit import features, fitting
from fer_exp.fit.assembly import Fit
from fer_exp.fit.pipeline import evaluation_batches, even_batch_size, training_batches
from fer_exp.network import named


@dataclass(frozen=True)
class Feed:
    """What is fitted, and on what.

    Attributes:
        model: The network, or its head.
        train: Gives the endless batches from an epoch on, counted from 0.
        val: One pass over the validation split.
    """

    model: fitting.Fitted
    train: Callable[[int], tf.data.Dataset]
    val: tf.data.Dataset


def inputs(fit: Fit, epochs: int, first_epoch: int) -> tf.data.Dataset:
    """Returns the endless, augmented batches of the training split as the configuration wants them.

    Args:
        fit: The training.
        epochs: Of the whole training.
        first_epoch: That the batches begin with, from 0.
    """
    experiment, parts = fit.experiment, fit.parts
    return training_batches(
        fit.data.train,
        experiment.batch_size,
        seed=experiment.seed,
        num_classes=fit.classes,
        augment=parts.augment,
        class_weights=parts.objective.class_weights,
        epochs=epochs,
        first_epoch=first_epoch,
        replicas=fit.replicas,
        how=experiment.sampling,
        logit_offsets=parts.objective.logit_offsets,
    )


def validation(fit: Fit) -> tf.data.Dataset:
    """Returns one pass over the validation split.

    Args:
        fit: The training.
    """
    return evaluation_batches(fit.data.val, fit.experiment.batch_size, fit.classes, fit.replicas)


def of_stage(fit: Fit, stage: Stage, epochs: tuple[int, int]) -> Feed:
    """Returns the model on its inputs, or, where the backbone is frozen, the head on features computed once.

    Args:
        fit: The training.
        stage: What learns.
        epochs: The first of the stage, and the first after it, from 0.
    """
    experiment, parts, strategy = fit.experiment, fit.parts, fit.strategy
    first, last = epochs

    def train(epoch: int) -> tf.data.Dataset:
        return inputs(fit, experiment.epochs, epoch)

    val = validation(fit)
    views = min(stage.feature_views, last - first)
    if not stage.unfreeze and views and not features.can_split(parts.model):
        fit.screen.print("the backbone is in a model within the model: its features are computed in each step")
        views = 0
    if stage.unfreeze or not views:
        with strategy.scope():
            return Feed(fitting.fitted(parts.model, parts.objective, parts.teacher), train, val)
    with strategy.scope():  # a model trains under the strategy that it was made under
        trunk, head = features.split_model(parts.model)
        learner = fitting.fitted(head, parts.objective, parts.teacher, asks=False)
    steps = views * fit.steps
    began = time.perf_counter()
    shown = track(
        train(first).take(steps), f"features of {views} views", steps, console=fit.screen, transient=True,
        disable=not fit.screen.is_terminal,
    )  # fmt: skip
    # What the teacher says of each view is kept with its features: the head never sees the inputs.
    (name,) = named.shapes(head)
    of_train = features.compute(trunk, fitting.taught(shown, parts.teacher), views, name)
    fit.screen.print(f"features of {views} views computed in {time.perf_counter() - began:.1f} s", highlight=False)
    of_val = features.compute(trunk, val, 1, name)
    batch_size, seed = experiment.batch_size, experiment.seed
    return Feed(
        learner,
        lambda epoch: features.batches_of(of_train, batch_size, seed=seed, first_epoch=epoch - first),
        features.in_order(of_val, even_batch_size(len(fit.data.val), batch_size, fit.replicas)),
    )
