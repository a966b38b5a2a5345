"""A model as Keras fits it: towards targets by name, with what is measured of every epoch.

Called by `feed`, `training` and `fine_tuning`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import tensorflow as tf

from fer_exp.fit import epoch_metrics
from fer_exp.fit.batch import LABELS, OFFSETS, TEACHER, Targets, Whole
from fer_exp.fit.distilling import Teacher
from fer_exp.loss import Objective


class TrainingLoss(keras.losses.Loss):
    """The loss of the labels, and with a teacher its share of it: see `Teacher.share`.

    Args:
        objective: Whose loss takes labels and logits, (batch, classes) both.
        teacher: Whose temperature and weight count where a batch says what the teacher says.
    """

    def __init__(self, objective: Objective, teacher: Teacher | None = None) -> None:
        super().__init__(name="training")
        self._of_labels, self._teacher = objective.loss, teacher

    def call(self, y_true: Targets, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each row, (batch,).

        Args:
            y_true: Targets.
            y_pred: Logits (batch, classes).
        """
        adjusted = y_pred + y_true[OFFSETS] if OFFSETS in y_true else y_pred
        loss = self._of_labels.call(y_true[LABELS], adjusted)
        if self._teacher is None or TEACHER not in y_true:
            return loss
        return self._teacher.share(loss, y_true[TEACHER], y_pred)


class Fitted(keras.Model):
    """A model of the layers of another one, trained towards targets by name; with a teacher it asks it in each step.

    Made by `fitted`. Keras does not look into teacher and loss: what Keras sees of a model it trains, counts and saves.
    """

    training_loss: TrainingLoss
    asks: Teacher | None

    def train_step(self, data: Whole) -> dict[str, tf.Tensor]:
        """Trains on a batch (inputs, targets[, weights])."""
        if self.asks is not None:
            inputs, targets, *weights = data
            data = (inputs, {**targets, TEACHER: self.asks.probabilities(inputs)}, *weights)
        logs: dict[str, tf.Tensor] = super().train_step(data)
        return logs

    def compute_loss(
        self,
        x: Any = None,
        y: Targets | None = None,
        y_pred: tf.Tensor | None = None,
        sample_weight: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Returns the mean loss of a batch, with what layers add to it."""
        loss = self.training_loss(y, y_pred, sample_weight)
        if not self.losses:
            return loss
        return loss + super().compute_loss(x, None, y_pred, None, training)  # Keras knows no loss but the layers'

    def compute_metrics(
        self, x: Any, y: Targets, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Measures the labels, whatever else there is."""
        logs: dict[str, tf.Tensor] = super().compute_metrics(x, y[LABELS], y_pred, sample_weight)
        return logs


def fitted(model: keras.Model, objective: Objective, teacher: Teacher | None = None, asks: bool = True) -> Fitted:
    """Returns what is fitted in place of a model.

    Args:
        model: Functional, (batch, ...) -> logits (batch, classes); call this under its strategy.
        objective: What is minimised.
        teacher: Whom it learns from beside the labels.
        asks: False: the batches hold what the teacher says.
    """
    made = Fitted({tensor.name: tensor for tensor in model.inputs}, model.outputs, name=model.name)
    made.training_loss, made.asks = TrainingLoss(objective, teacher), teacher if asks else None
    return made


def compile_for_training(model: Fitted, optimizer: keras.optimizers.Optimizer) -> None:
    """Compiles a model with what is measured in every training.

    Args:
        model: From `fitted`; call this under its strategy.
        optimizer: Its variables are made here: made in the first step, they would have it traced twice.
    """
    model.compile(optimizer=optimizer, metrics=epoch_metrics.built(model.output_shape[-1]))
    model.optimizer.build(model.trainable_variables)


def taught(batches: Iterable[Whole], teacher: Teacher | None) -> Iterator[Whole]:
    """Returns batches (inputs, targets, ...) whose targets hold what a teacher says, if there is one."""
    answer = None if teacher is None else tf.function(teacher.probabilities, reduce_retracing=True)
    for inputs, targets, *weights in batches:
        yield inputs, targets if answer is None else {**targets, TEACHER: answer(inputs)}, *weights
