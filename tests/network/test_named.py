"""A model gets its inputs by their names; of a single one, the name does not matter."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fer_exp.data.inputs import Spec, image
from fer_exp.network import named

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 4, 5, 1)).astype(np.float32)
FACE, VOICE = Spec("face", "clip", (2, 4, 5, 1)), Spec("voice", "sound", (7,))


def of_one(structure: str) -> keras.Model:
    if structure == "sequential":
        return keras.Sequential([keras.Input((4, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    given = keras.Input((4, 5, 1), name="picture")
    inputs = {"tensor": given, "list": [given], "mapping": {"picture": given}}[structure]
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(given)))


def of_two() -> keras.Model:
    """Returns the sums of a clip and of a sound."""
    given = {spec.name: named.begin(spec) for spec in (VOICE, FACE)}
    sums = [keras.ops.sum(keras.layers.Flatten()(given[name]), axis=1, keepdims=True) for name in ("face", "voice")]
    return keras.Model(given, keras.layers.Concatenate()(sums))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("structure", ["tensor", "list", "mapping", "sequential"])
def test_the_only_input_is_given_whatever_it_is_called(structure: str, caplog: pytest.LogCaptureFixture) -> None:
    model = of_one(structure)
    expected = model.layers[-1](IMAGES.reshape(3, -1))
    np.testing.assert_allclose(named.call(model, {"image": IMAGES}), expected, rtol=1e-5)
    traced = tf.function(lambda batch: named.call(model, batch))
    np.testing.assert_allclose(traced({"image": tf.constant(IMAGES)}), expected, rtol=1e-5)
    assert caplog.messages == []  # of TensorFlow, which could not rewrite something


def test_several_inputs_are_given_by_name_in_any_order() -> None:
    face, voice = np.full((3, 2, 4, 5, 1), 2.0, np.float32), np.full((3, 7), -1.0, np.float32)
    for inputs in ({"face": face, "voice": voice}, {"voice": voice, "face": face}):
        np.testing.assert_array_equal(named.call(of_two(), inputs), [[80.0, -7.0]] * 3)


def test_a_model_fits_inputs_of_its_shapes_and_of_its_names_if_they_are_several() -> None:
    both = {"face": FACE, "voice": VOICE}
    assert named.shapes(of_two()) == {"voice": (7,), "face": (2, 4, 5, 1)}
    assert named.fits(of_one("tensor"), image((4, 5, 1)))
    assert named.fits(of_two(), both)
    assert not named.fits(of_one("tensor"), image((4, 5, 3)))
    assert not named.fits(of_one("tensor"), both)
    assert not named.fits(of_two(), {"face": FACE})
    assert not named.fits(of_two(), {"face": FACE, "sound": Spec("sound", "sound", (7,))})
    assert not named.fits(of_two(), {"face": FACE, "voice": Spec("voice", "sound", (8,))})
