"""Learning from a teacher: what the teacher says becomes a second half of the labels, and the loss compares with both.

Called by `assembly` and `training`. The teacher sees the very images that the student sees, augmented and mixed, in the
student's training step, on the same device. Labels of validation have one half only, so that its loss and metrics are
those of any other run. It must not know where teachers come from.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf


@dataclass(frozen=True, eq=False)
class Teacher:
    """Trained models that answer together; their weights stay as they are.

    Attributes:
        models: float32, (batch, height, width, channels) in [0, 255] -> logits (batch, classes).
        temperature: What the logits are divided by, > 0.
        weight: Share of their answers in the loss, 0-1.
        runs: Ids of the runs they come from.
    """

    models: tuple[keras.Model, ...]
    temperature: float
    weight: float
    runs: tuple[str, ...] = ()

    def probabilities(self, images: tf.Tensor, temperature: float | None = None) -> tf.Tensor:
        """Returns the mean of the models' probabilities, float32 (batch, classes).

        Args:
            images: float32 (batch, height, width, channels) in [0, 255].
            temperature: Left out: the teacher's.
        """
        divisor = temperature or self.temperature
        answers = [tf.nn.softmax(model(images, training=False) / divisor) for model in self.models]
        return tf.stop_gradient(tf.add_n(answers) / len(answers))

    def taught(self, batches: Iterable[tuple[tf.Tensor, ...]]) -> Iterator[tuple[tf.Tensor, ...]]:
        """Returns batches (images, labels, ...) whose labels have the teacher's answers as a second half."""
        answer = tf.function(self.probabilities, reduce_retracing=True)
        for images, labels, *weights in batches:
            yield images, tf.concat([labels, answer(images)], axis=1), *weights


class Student(keras.Model):
    """A model of the layers of another one, which asks a teacher in each training step.

    Made as `Student(inputs, outputs)`; it is given its teacher afterwards, whom Keras does not look into: what Keras
    sees of a model it trains, counts and saves.
    """

    teacher: Teacher

    def train_step(self, data: tuple[tf.Tensor, ...]) -> dict[str, tf.Tensor]:
        """Trains on a batch (images, labels[, weights])."""
        images, labels, *weights = data
        both = tf.concat([labels, self.teacher.probabilities(images)], axis=1)
        logs: dict[str, tf.Tensor] = super().train_step((images, both, *weights))
        return logs


def student(model: keras.Model, teacher: Teacher | None) -> keras.Model:
    """Returns what is fitted in place of a model: itself, or with a teacher a model of the same layers that asks it.

    Args:
        model: Functional; call this under its strategy.
        teacher: None for the labels alone.
    """
    if teacher is None:
        return model
    made = Student(model.inputs, model.outputs, name=model.name)
    made.teacher = teacher
    return made


class DistillationLoss(keras.losses.Loss):
    """(1 - weight) * the loss of the labels + weight * temperature^2 * KL(teacher, student), both at the temperature.

    The square makes up for the gradients of the second part, which shrink with it.

    Args:
        hard: Loss of labels (batch, classes, or more in training) and logits (batch, classes).
        temperature: What the logits are divided by, > 0; the teacher's too.
        weight: Share of the teacher's answers, 0-1.

    Source:
        Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, https://arxiv.org/abs/1503.02531.
    """

    def __init__(self, hard: keras.losses.Loss, temperature: float, weight: float) -> None:
        super().__init__(name="distillation")
        self._hard, self._temperature, self._weight = hard, temperature, weight

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each image, (batch,).

        Args:
            y_true: Labels (batch, classes), of validation; or what the loss of the labels takes in training, and behind
                it the teacher's probabilities (batch, classes).
            y_pred: Logits (batch, classes).
        """
        classes = y_pred.shape[-1]
        if y_true.shape[-1] == classes:
            return self._hard.call(y_true, y_pred)
        hard = self._hard.call(y_true[:, :-classes], y_pred)
        soft = y_true[:, -classes:]
        cross_entropy = tf.nn.softmax_cross_entropy_with_logits(soft, y_pred / self._temperature)
        divergence = cross_entropy + tf.reduce_sum(tf.math.xlogy(soft, soft), axis=-1)
        return (1.0 - self._weight) * hard + self._weight * self._temperature**2 * divergence


class _OfLabels:
    """Of a metric that must not see the teacher's half."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return super().update_state(y_true[:, : y_pred.shape[-1]], y_pred, sample_weight)  # type: ignore[misc]


class _Accuracy(_OfLabels, keras.metrics.CategoricalAccuracy):
    pass


class _F1Score(_OfLabels, keras.metrics.F1Score):
    """Has its variables from the beginning: made in the first step, they would have it traced twice."""

    def __init__(self, classes: int) -> None:
        super().__init__(average="macro", name="macro_f1")
        self._build((None, classes), (None, classes))


def measured(classes: int) -> list[keras.metrics.Metric]:
    """Returns the metrics of every training: accuracy and macro-F1 of the labels, whether or not there is a teacher.

    Args:
        classes: Number of logits.
    """
    return [_Accuracy(name="accuracy"), _F1Score(classes)]


def compile_for_training(model: keras.Model, optimizer: keras.optimizers.Optimizer, loss: keras.losses.Loss) -> None:
    """Compiles a model with what is measured in every training.

    Args:
        model: From `student`; call this under its strategy.
        optimizer: Its variables are made here, for the same reason as those of the F1 score.
        loss: Of what the model takes in training.
    """
    model.compile(optimizer=optimizer, loss=loss, metrics=measured(model.output_shape[-1]))
    model.optimizer.build(model.trainable_variables)
