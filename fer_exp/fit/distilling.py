"""A teacher: trained models that say of a row what a student learns beside the labels.

Called by `fitting`, which asks it for the very inputs that the student sees, augmented and mixed, in the student's
training step, on the same device. It must not know where teachers come from.
"""

from dataclasses import dataclass

import keras
import tensorflow as tf

from fer_exp.fit.batch import Batch
from fer_exp.network import named


@dataclass(frozen=True, eq=False)
class Teacher:
    """Trained models that answer together; their weights stay as they are.

    Attributes:
        models: float32, inputs (batch, ...) -> logits (batch, classes).
        temperature: What the logits are divided by, > 0.
        weight: Share of their answers in the loss, 0-1.
        runs: Ids of the runs they come from.
    """

    models: tuple[keras.Model, ...]
    temperature: float
    weight: float
    runs: tuple[str, ...] = ()

    def probabilities(self, inputs: Batch, temperature: float | None = None) -> tf.Tensor:
        """Returns the mean of the models' probabilities, float32 (batch, classes).

        Args:
            inputs: Each input by its name, float32 (batch, ...).
            temperature: Left out: the teacher's.
        """
        divisor = temperature or self.temperature
        answers = [tf.nn.softmax(named.call(model, inputs) / divisor) for model in self.models]
        return tf.stop_gradient(tf.add_n(answers) / len(answers))

    def share(self, loss: tf.Tensor, soft: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Returns (1 - weight) * loss + weight * temperature^2 * KL(teacher, student), both at the temperature.

        The square makes up for the gradients of the second part, which shrink with it.

        Args:
            loss: Of the labels, (batch,).
            soft: What the teacher says, from `probabilities`, (batch, classes).
            logits: What the student says, (batch, classes).

        Source:
            Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, https://arxiv.org/abs/1503.02531.
        """
        cross_entropy = tf.nn.softmax_cross_entropy_with_logits(soft, logits / self.temperature)
        divergence = cross_entropy + tf.reduce_sum(tf.math.xlogy(soft, soft), axis=-1)
        return (1.0 - self.weight) * loss + self.weight * self.temperature**2 * divergence
