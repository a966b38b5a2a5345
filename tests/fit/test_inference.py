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
    np.testing.assert_allclose(inference.predict(model, {"image": IMAGES}, batch_size), expected, rtol=1e-5)


def test_views_are_averaged_as_probabilities(model: keras.Model) -> None:
    plain, mirrored = (inference.predict(model, {"image": images}, 5) for images in (IMAGES, IMAGES[:, :, ::-1]))
    found = inference.predict_views(model, {"image": IMAGES}, {"image": "image"}, 5, "flip")
    np.testing.assert_allclose(found, (plain + mirrored) / 2, rtol=1e-5)


@pytest.mark.parametrize("batch_size", [2, 100])
def test_several_inputs_reach_the_model_by_their_names_and_views_leave_sounds_alone(batch_size: int) -> None:
    face, voice = keras.Input((2, 8, 8, 1), name="face"), keras.Input((5,), name="voice")
    both = keras.layers.Concatenate()([keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(face)), voice])
    model = keras.Model([voice, face], keras.layers.Dense(3)(both))
    clips = np.stack([IMAGES, 255 - IMAGES], axis=1)
    sounds = np.random.default_rng(1).uniform(-1, 1, (25, 5)).astype(np.float32)
    given = {"face": clips, "voice": sounds}
    plain, mirrored = (
        keras.ops.softmax(model([sounds, images.astype(np.float32)])) for images in (clips, clips[:, :, :, ::-1])
    )
    np.testing.assert_allclose(inference.predict(model, given, batch_size), plain, rtol=1e-5)
    found = inference.predict_views(model, given, {"face": "clip", "voice": "sound"}, batch_size, "flip")
    np.testing.assert_allclose(found, (plain + mirrored) / 2, rtol=1e-5)
