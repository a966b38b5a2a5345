"""Calls are found in the order and with the tensors that the graph says."""

import keras
from keras import layers

from fer_exp.network.slim.model_calls import calls, references


def test_calls_name_layer_number_and_tensors() -> None:
    image = keras.Input((4, 4, 2), name="image")
    shared = layers.Conv2D(2, 1, name="shared")
    once = shared(image)
    added = layers.Add(name="added")([shared(once), once])
    config = keras.Model(image, added).get_config()
    assert set(calls(config)) == {
        ("shared", 0, (("image", 0, 0),)),
        ("shared", 1, (("shared", 0, 0),)),
        ("added", 0, (("shared", 1, 0), ("shared", 0, 0))),
    }
    assert references(config["input_layers"]) == [("image", 0, 0)]
    assert references(config["output_layers"]) == [("added", 0, 0)]


def test_several_outputs_may_be_a_list_or_a_mapping() -> None:
    assert references([["a", 0, 0], ["b", 0, 1]]) == [("a", 0, 0), ("b", 0, 1)]
    assert references({"x": ["a", 0, 0], "y": ["b", 0, 0]}) == [("a", 0, 0), ("b", 0, 0)]
