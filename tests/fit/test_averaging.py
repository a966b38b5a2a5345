"""Averaged weights are what is judged and kept, with statistics that fit them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from fer_exp.fit import averaging

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(3.0, 2.0, (48, 6, 6, 2)).astype(np.float32)
LABELS = np.eye(3, dtype=np.float32)[np.arange(48) % 3]
BATCHES = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(16)


class Watcher(keras.callbacks.Callback):
    """Notes the weights as a callback after the averaging sees them."""

    def __init__(self) -> None:
        super().__init__()
        self.at_epoch_end: list[list[np.ndarray]] = []
        self.at_epoch_begin: list[list[np.ndarray]] = []
        self.after_batch: list[list[np.ndarray]] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.at_epoch_begin.append(self.model.get_weights())

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.after_batch.append(self.model.get_weights())

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.at_epoch_end.append(self.model.get_weights())


def make(momentum: float | None = 0.9, frozen: bool = False) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 2))
    inner = keras.Model(inputs, layers.BatchNormalization(momentum=0.8, name="inner")(layers.Conv2D(3, 3)(inputs)))
    x = layers.Flatten()(layers.BatchNormalization(momentum=0.9, name="outer")(inner(inputs)))
    model = keras.Model(inputs, layers.Dense(3)(x))
    inner.get_layer("inner").trainable = not frozen
    optimizer = keras.optimizers.SGD(0.3, use_ema=momentum is not None, ema_momentum=momentum or 0.0)
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))
    return model


def fit(model: keras.Model, epochs: int = 2) -> Watcher:
    watcher = Watcher()
    model.fit(
        BATCHES, epochs=epochs, validation_data=BATCHES, verbose=0, shuffle=False,
        callbacks=[*averaging.callbacks(model, lambda: BATCHES), watcher],
    )  # fmt: skip
    return watcher


def trainable(model: keras.Model, weights: list[np.ndarray]) -> list[np.ndarray]:
    paths = {v.path for v in model.trainable_variables}
    return [value for variable, value in zip(model.weights, weights, strict=True) if variable.path in paths]


def test_an_optimizer_that_does_not_average_needs_nothing() -> None:
    assert averaging.callbacks(make(momentum=None), lambda: BATCHES) == []


def test_callbacks_at_the_end_of_an_epoch_see_the_average_of_the_weights_of_all_steps() -> None:
    model = make(momentum=0.9)
    seen = fit(model)
    average = trainable(model, seen.after_batch[0])
    for step, weights in enumerate(seen.after_batch[1:], start=1):
        average = [0.9 * a + 0.1 * w for a, w in zip(average, trainable(model, weights), strict=True)]
        if step == 2:
            for found, expected in zip(trainable(model, seen.at_epoch_end[0]), average, strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(average[0], trainable(model, seen.after_batch[-1])[0], rtol=1e-3)


def test_training_goes_on_with_the_last_weights_and_their_statistics() -> None:
    seen = fit(make())
    for found, expected in zip(seen.at_epoch_begin[1], seen.after_batch[2], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_statistics_are_those_of_the_averaged_network_on_the_batches() -> None:
    model = make()
    seen = fit(model, epochs=1)
    model.set_weights(seen.at_epoch_end[0])
    inner = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    convolved = np.asarray(inner.layers[1](IMAGES))
    batches = convolved.reshape(3, 16, 4, 4, 3)
    weights = 0.8 ** np.array([2, 1, 0])  # the later batches count more, by the layer's own momentum
    mean = np.average(batches.mean(axis=(1, 2, 3)), axis=0, weights=weights)
    variance = np.average(batches.var(axis=(1, 2, 3)), axis=0, weights=weights)
    np.testing.assert_allclose(inner.get_layer("inner").moving_mean, mean, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(inner.get_layer("inner").moving_variance, variance, rtol=1e-3)


def test_frozen_statistics_stay() -> None:
    model = make(frozen=True)
    fit(model, epochs=1)
    inner = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    np.testing.assert_array_equal(inner.get_layer("inner").moving_mean, np.zeros(3))
    assert np.abs(model.get_layer("outer").moving_mean).max() > 0


def test_averaged_weights_are_judged_better_than_with_the_statistics_of_the_last_ones() -> None:
    model = make(momentum=0.95)
    swap_only = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]
    plain = model.fit(BATCHES, epochs=3, validation_data=BATCHES, verbose=0, shuffle=False, callbacks=swap_only)
    model = make(momentum=0.95)
    own = model.fit(
        BATCHES, epochs=3, validation_data=BATCHES, verbose=0, shuffle=False,
        callbacks=averaging.callbacks(model, lambda: BATCHES),
    )  # fmt: skip
    assert own.history["loss"] == pytest.approx(plain.history["loss"], rel=1e-3)
    assert own.history["val_loss"][-1] < plain.history["val_loss"][-1]
