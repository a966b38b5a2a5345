"""Features of a frozen backbone, computed once, are the ones each step would have computed."""

import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from fer_exp.data import image_store
from fer_exp.data.inputs import image
from fer_exp.data.stored_rows import StoredRows
from fer_exp.errors import StorageError
from fer_exp.fit import features
from fer_exp.network.transfer import classifier

IMAGES = np.random.default_rng(0).uniform(0, 255, (10, 8, 8, 1)).astype(np.float32)
LABELS = np.eye(7, dtype=np.float32)[np.arange(10) % 7]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs))
    backbone = keras.Model(inputs, x, name="backbone")
    return classifier(backbone, image((8, 8, 1)), 7, head_units=5, dropout=0.0, l2=0.0, origin="random")


def test_trunk_and_head_are_the_model_in_two_parts_that_share_its_weights(model: keras.Model) -> None:
    trunk, head = features.split_model(model)
    np.testing.assert_allclose(head(trunk(IMAGES)), model(IMAGES), rtol=1e-6)
    assert trunk.output.shape == (None, 4)  # pooled: what is kept is small
    assert [v.path for v in head.trainable_variables] == [
        v.path for name in ("head", "logits") for v in model.get_layer(name).variables
    ]
    head.get_layer("logits").bias.assign(np.arange(7))
    np.testing.assert_allclose(head(trunk(IMAGES)), model(IMAGES), rtol=1e-6)


def test_every_view_is_gone_through_in_turn_first_in_order_then_shuffled(model: keras.Model) -> None:
    trunk, _ = features.split_model(model)
    weights = np.arange(20, dtype=np.float32)  # tells the rows of both views apart
    doubled = np.concatenate([IMAGES, 255 - IMAGES])
    batches = tf.data.Dataset.from_tensor_slices(
        ({"image": doubled}, {"labels": np.concatenate([LABELS] * 2)}, weights)
    ).batch(5)
    found = features.compute(trunk, batches, views=2, name="pooled")
    assert (found.rows, found.views) == (10, 2)
    np.testing.assert_allclose(found.arrays[0], trunk(doubled), rtol=1e-5)

    steps = 3  # batches of 4, 4 and 2 rows an epoch
    seen = [batch[2].numpy() for batch in features.batches_of(found, 4, seed=0).take(6 * steps)]
    epochs = [np.concatenate(seen[start : start + steps]).tolist() for start in range(0, 6 * steps, steps)]
    assert [len(rows) for rows in seen[:3]] == [4, 4, 2]
    assert epochs[0] == list(range(10))
    assert epochs[1] == list(range(10, 20))
    for number, epoch in enumerate(epochs[2:], start=2):
        assert sorted(epoch) == epochs[number % 2]
        assert epoch != epochs[number % 2]
    assert epochs[2] != epochs[4]


def test_features_that_are_many_are_kept_in_a_file_and_give_the_same_batches(
    model: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk, _ = features.split_model(model)
    batches = tf.data.Dataset.from_tensor_slices(({"image": IMAGES}, {"labels": LABELS})).batch(4)
    held = features.compute(trunk, batches, views=1, name="pooled")
    monkeypatch.setattr(image_store, "IN_MEMORY_BYTES", 100)  # of 160 and 280 bytes: it is found out on the way
    filed = features.compute(trunk, batches, views=1, name="pooled")
    assert isinstance(held.arrays[0], np.ndarray)
    assert isinstance(filed.arrays[0], StoredRows)
    both = ([*features.in_order(f, 4), *features.batches_of(f, 4, seed=0).take(6)] for f in (held, filed))
    for batch, twin in zip(*both, strict=True):
        for part, same in zip(tf.nest.flatten(batch), tf.nest.flatten(twin), strict=True):
            np.testing.assert_array_equal(part, same)


def test_features_that_fit_nowhere_are_an_error(model: keras.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    trunk, _ = features.split_model(model)
    monkeypatch.setattr(image_store, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(StorageError, match=r"too many for memory, and .* \(No space left on device\)\. Free"):
        features.compute(
            trunk,
            tf.data.Dataset.from_tensor_slices(({"image": IMAGES}, {"labels": LABELS})).batch(4),
            views=1,
            name="pooled",
        )


def test_validation_is_in_order(model: keras.Model) -> None:
    trunk, _ = features.split_model(model)
    found = features.compute(
        trunk,
        tf.data.Dataset.from_tensor_slices(({"image": IMAGES}, {"labels": LABELS})).batch(4),
        views=1,
        name="pooled",
    )
    batches = list(features.in_order(found, 4))
    assert [list(inputs) for inputs, _ in batches] == [["pooled"]] * 3
    labels = np.concatenate([targets["labels"] for _, targets in batches])
    np.testing.assert_array_equal(labels, LABELS)
