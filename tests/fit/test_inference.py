"""What a network answers, however many images are asked about at a time."""

import keras
import numpy as np
import pytest

from fer_exp.fit import inference

IMAGES = np.random.default_rng(0).integers(0, 256, (25, 8, 8, 1), np.uint8)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    given = keras.Input((8, 8, 1))
    hidden = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(given))
    hidden = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(hidden))
    return keras.Model(given, keras.layers.Dense(3)(keras.layers.Flatten()(hidden)))


@pytest.mark.parametrize("batch_size", [2, 7, 100])  # the first makes enough batches for a graph to be traced
def test_the_answer_is_the_softmax_of_the_logits_whatever_the_batch_size(model: keras.Model, batch_size: int) -> None:
    exponentials = np.exp(np.asarray(model(IMAGES.astype(np.float32))))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(inference.predict(model, IMAGES, batch_size), expected, rtol=1e-5)


def test_views_are_averaged_as_probabilities(model: keras.Model) -> None:
    expected = (inference.predict(model, IMAGES, 5) + inference.predict(model, IMAGES[:, :, ::-1], 5)) / 2
    np.testing.assert_allclose(inference.predict(model, IMAGES, 5, "flip"), expected, rtol=1e-5)
