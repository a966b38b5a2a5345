"""What a training is made of: devices, precision, model, objective, plan and augmentation.

Called by `experiment` before the run is recorded, so that everything a user's mistake can break breaks here. It must
not train.
"""

import dataclasses
import functools
import gc
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

from fer_exp.data import inputs
from fer_exp.dataset import Development
from fer_exp.errors import ConfigError
from fer_exp.finetune import Stage
from fer_exp.fit import precision
from fer_exp.fit.batch import Augment
from fer_exp.fit.distilling import Teacher
from fer_exp.fit.pipeline import steps_in
from fer_exp.loss import Objective
from fer_exp.model import parts as parts_of
from fer_exp.network import batch_norm, cost
from fer_exp.network.slim import inheritance
from fer_exp.network.slim.inheritance import Inheritance
from fer_exp.options import config
from fer_exp.process import keras_state
from fer_exp.pruning import Pruning

log = logging.getLogger(__name__)
_NOTHING_LEFT = re.compile("(?i)output (size|shape) .*(zero|negative)|negative dimension")  # as Keras says it


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
        precision_reason: Why that one.
        multiply_adds: What one row costs in a forward pass, as far as it can be counted.
        inherited: What is taken over from an earlier run.
        rebuild: Makes the network anew under the dtype policy in force, on one device; its weights are of no account.
        teacher: Whom it learns from beside the labels.
    """

    model: keras.Model
    objective: Objective
    stages: tuple[Stage, ...]
    augment: Augment
    weights_origin: str
    precision: str
    precision_reason: str
    multiply_adds: int
    inherited: Inheritance | None
    rebuild: Callable[[], keras.Model]
    teacher: Teacher | None = None

    def taught_by(self, teacher: Teacher) -> "Assembled":
        """Returns the same with a teacher."""
        return dataclasses.replace(self, teacher=teacher)


@dataclass(frozen=True)
class Fit:
    """A training that is about to begin: what everything within it works with.

    Attributes:
        experiment: The checked configuration.
        data: The data, without their test split.
        strategy: From `prepare`.
        parts: From `assemble`.
        screen: Where the progress goes.
        folder: Where weights and snapshots go, and are looked for.
    """

    experiment: config.Experiment
    data: Development
    strategy: tf.distribute.Strategy
    parts: Assembled
    screen: Console
    folder: Path

    @property
    def replicas(self) -> int:
        """Among which each batch is divided."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.data.class_names)

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return steps_in(self.data.train, self.experiment.batch_size, self.replicas)

    def alone(self) -> "Fit":
        """Returns the same on one device."""
        return dataclasses.replace(self, strategy=tf.distribute.get_strategy())


def prepare(experiment: config.Experiment) -> tf.distribute.Strategy:
    """Sets devices, seeds and determinism; nothing of an earlier run in this process is left.

    Raises:
        ConfigError: If the devices asked for are not there, or the batch does not divide by the replicas.
    """
    _leave_imports_alone()
    keras_state.settle()
    keras.backend.clear_session()
    if "TF_CONFIG" in os.environ and experiment.option("strategy") != "multi_worker":
        log.warning("TF_CONFIG is set, but strategy=%s trains in this process alone.", experiment.option("strategy"))
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
    return strategy


@functools.cache
def _leave_imports_alone() -> None:
    """Takes what was imported, which lives as long as the process, out of the rounds of the garbage collector.

    Going through the half million objects of TensorFlow, Keras and MLflow takes half a second each time, and two when
    the process ends. Only once: later on, models of earlier runs in this process would be among them.
    """
    gc.freeze()


def assemble(experiment: config.Experiment, splits: Development, strategy: tf.distribute.Strategy) -> Assembled:
    """Builds everything a user's mistake can still break, before the run is recorded.

    Args:
        experiment: The checked configuration.
        splits: The data; the labels of the training split are counted.
        strategy: From `prepare`.

    Raises:
        ConfigError: If class weights do not fit the classes, or weights cannot be taken over from an earlier run.
        WeightsError: If the model's weights cannot be loaded.
        PruningError: If the channels of the model cannot be removed as asked.
    """
    num_classes = len(splits.class_names)
    counts = np.bincount(splits.train.labels, minlength=num_classes).tolist()
    objective = config.build(experiment.loss, counts, splits.class_names)
    stages: tuple[Stage, ...] = config.build(experiment.finetune)
    steps = steps_in(splits.train, experiment.batch_size, strategy.num_replicas_in_sync)
    if not steps:
        raise ConfigError(
            [
                f"The training split must have an image for each of the {strategy.num_replicas_in_sync} replicas of "
                f"strategy={experiment.option('strategy')}. Received: {len(splits.train)} in {splits.source}."
            ]
        )
    config.build(experiment.schedule, experiment.epochs * steps, steps)
    pruning: Pruning | None = config.build(experiment.pruning)
    inherited = inheritance.of(pruning, config.build(experiment.tracking), experiment, splits) if pruning else None
    model, reason = _build_model(experiment, splits, strategy, inherited)
    counted = cost.multiply_adds(model)
    if counted.uncounted:
        log.warning(
            "The multiply-adds are more than %s: fer_exp cannot count those of these layers: %s.",
            f"{counted.total:,}",
            ", ".join(counted.uncounted),
        )
    origin = inherited.origin if inherited else getattr(model, "weights_origin", "random")
    if len(stages) > 1 and origin.startswith("random"):
        log.warning("finetune=%s freezes a backbone that has random weights.", experiment.option("finetune"))
    return Assembled(
        model=model,
        objective=objective,
        stages=stages,
        augment=config.build(experiment.augmentation, splits.specs),
        weights_origin=origin,
        precision=keras.mixed_precision.dtype_policy().name,
        precision_reason=reason,
        multiply_adds=counted.total,
        inherited=inherited,
        rebuild=lambda: _network(experiment, splits, inherited, load_weights=False),
    )


def _network(
    experiment: config.Experiment, splits: Development, inherited: Inheritance | None, *, load_weights: bool
) -> keras.Model:
    """Builds the network of the configuration, slim if it was pruned, under the dtype policy in force."""
    unread = _unread(experiment.model) if inherited or not load_weights else {}
    try:
        model: keras.Model = config.build(experiment.model, splits.specs, len(splits.class_names), **unread)
    except ValueError as error:
        if not _NOTHING_LEFT.search(str(error)):
            raise
        name = experiment.option("model")
        raise ConfigError(
            [
                f"`model` must have pixels left behind each of its layers. Received: model={name} for "
                f"{inputs.sentence(splits.specs)} in {splits.source}, of which convolutions or pools leave none. "
                "Take larger images (dataset.image_size), or fewer layers."
            ]
        ) from error
    return inherited.put_into(model) if inherited else model


def _unread(node: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of a model with which it loads no weights, nor do the models that it is made of."""
    own = {"weights": None} if "weights" in node else {}
    return own | {option: {**part, **_unread(part)} for option, part in parts_of(node).items()}


def _build_model(
    experiment: config.Experiment, splits: Development, strategy: tf.distribute.Strategy, inherited: Inheritance | None
) -> tuple[keras.Model, str]:
    """Builds the model in the precision asked for; `auto` is answered by a first build in float32."""

    def build(policy: str) -> keras.Model:
        keras.backend.clear_session(free_memory=False)  # a second build has the names of the first
        keras.utils.set_random_seed(experiment.seed)  # and its weights
        keras.mixed_precision.set_dtype_policy(policy)
        with strategy.scope():
            model = _network(experiment, splits, inherited, load_weights=True)
        if experiment.strategy.get("synchronized_batch_norm"):
            batch_norm.synchronize(model)
        return model

    if experiment.precision != "auto":
        return build(experiment.precision), "as configured"
    model = build("float32")
    policy, reason = precision.choose(cost.multiply_adds(model))
    return (model if policy == "float32" else build(policy)), f"auto: {reason}"
