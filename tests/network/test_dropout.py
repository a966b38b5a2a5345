"""Dropout by bytes keeps the promises of Keras' layer."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_exp.network.dropout import Dropout


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_rate_and_the_mean_stays(rate: float) -> None:
    dropped = Dropout(rate, seed=1)(tf.ones((64, 33, 33, 5)), training=True).numpy()  # not a multiple of eight values
    assert np.mean(dropped == 0) == pytest.approx(rate, abs=0.006)
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    assert len(np.unique(dropped)) == 2
    neighbours = np.corrcoef(dropped[:, :-1].ravel(), dropped[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.01


def test_outside_training_and_at_rate_zero_nothing_changes() -> None:
    images = tf.random.stateless_uniform((2, 3, 3, 1), (0, 0))
    np.testing.assert_array_equal(Dropout(0.5)(images), images)
    np.testing.assert_array_equal(Dropout(0.0)(images, training=True), images)


def test_calls_differ_and_a_seed_repeats_them() -> None:
    images = tf.ones((4, 8, 8, 2))
    one, other = Dropout(0.5, seed=3), Dropout(0.5, seed=3)
    first, second = one(images, training=True), one(images, training=True)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(other(images, training=True), first)


def test_gradients_flow_through_what_is_kept() -> None:
    images = tf.Variable(tf.ones((2, 16, 16, 3)))
    with tf.GradientTape() as tape:
        found = Dropout(0.25, seed=0)(images, training=True)
    np.testing.assert_allclose(tape.gradient(found, images), found, rtol=1e-6)


def test_half_precision_stays_half_precision() -> None:
    layer = Dropout(0.5, dtype="mixed_bfloat16")
    assert layer(tf.ones((2, 4)), training=True).dtype == tf.bfloat16


def test_a_mask_shared_along_an_axis_is_keras_own() -> None:
    dropped = Dropout(0.5, noise_shape=(None, 1, 1, 8), seed=0)(tf.ones((4, 5, 5, 8)), training=True).numpy()
    assert (dropped == dropped[:, :1, :1]).all()


def test_a_saved_model_holds_keras_own_layer(tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    keras.Model(inputs, Dropout(0.3)(inputs)).save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert type(loaded.layers[1]) is keras.layers.Dropout
    assert loaded.layers[1].rate == 0.3
