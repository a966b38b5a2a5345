"""Averaged weights in place of the last ones, wherever a model is judged or kept.

Called by `training` and `fine_tuning` for an optimizer that keeps an exponential moving average (its option
ema_momentum). It must not know a particular model.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def callbacks(
    model: keras.Model, batches: Callable[[], Iterable[tuple[tf.Tensor, ...]]]
) -> list[keras.callbacks.Callback]:
    """Returns what shows the averaged weights to validation and to all callbacks after these.

    Args:
        model: Compiled; nothing is returned unless its optimizer averages.
        batches: Gives a few training batches, the images first, which the statistics are taken from; called once, and
            only if they are needed.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # float16 scales the loss around it
    if not optimizer.use_ema:
        return []
    return [keras.callbacks.SwapEMAWeights(swap_on_epoch=True), StatisticsOfAverage(batches())]


class StatisticsOfAverage(keras.callbacks.Callback):
    """Gives averaged weights batch-norm statistics of their own.

    The moving statistics belong to the weights of the last steps. While the learning rate is high, those differ so much
    from the average that a network which has learned a lot looks as if it had learned nothing.

    Args:
        batches: A few training batches, the images first; gone through once an epoch.

    Source:
        Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018,
        https://arxiv.org/abs/1803.05407, section 3.2.
    """

    def __init__(self, batches: Iterable[tuple[tf.Tensor, ...]]) -> None:
        super().__init__()
        self._batches = batches
        self._of_average: list[np.ndarray] | None = None
        self._forward = tf.function(lambda images: self.model(images, training=True), reduce_retracing=True)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Measures the statistics, the averaged weights being in the model, and leaves them for the validation."""
        self._layers = list(_learning_batch_norms(self.model))
        self._of_last = self._read()
        self._measure()
        self._of_average = self._read()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Puts back what belongs to the last weights."""
        self._write(self._of_last)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Shows the averaged model to the callbacks that follow."""
        if self._of_average is not None:
            self._write(self._of_average)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Goes on with the last weights."""
        if self._of_average is not None:
            self._write(self._of_last)

    def _measure(self) -> None:
        self._write([np.zeros_like(array) for array in self._of_last])
        steps = 0
        for images, *_ in self._batches:
            self._forward(images)
            steps += 1
        # Begun at zero, the moving averages are short of what they average by this factor, as Adam's moments are.
        found = iter(self._read())
        self._write([next(found) / (1.0 - layer.momentum**steps) for layer in self._layers for _ in range(2)])

    def _read(self) -> list[np.ndarray]:
        return [np.array(variable.numpy()) for layer in self._layers for variable in _statistics(layer)]

    def _write(self, values: list[np.ndarray]) -> None:
        variables = [variable for layer in self._layers for variable in _statistics(layer)]
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _statistics(layer: keras.layers.BatchNormalization) -> tuple[keras.Variable, keras.Variable]:
    return layer.moving_mean, layer.moving_variance


def _learning_batch_norms(model: keras.Model) -> Iterator[keras.layers.BatchNormalization]:
    """Yields the layers whose statistics move in training; frozen ones keep theirs."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _learning_batch_norms(layer)
        elif isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
            yield layer
