"""Models are called with their inputs by name, however many they have, and tell what these are.

Called by whoever has inputs by name and a model. It knows no kind of model.
"""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from fer_exp.data.inputs import Spec, Specs, matched


@tf.autograph.experimental.do_not_convert  # there is nothing in it for graphs, and reading it takes a moment
def call(model: keras.Model, inputs: Mapping[str, Any], training: bool = False) -> Any:
    """Calls a model.

    Args:
        model: Functional or sequential. Of a model of one input, the name does not matter: earlier versions and other
            programs may have called it otherwise.
        inputs: Each input by its name, float32 (batch, ...).
        training: As of Keras.
    """
    taken = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    given = matched(inputs, shapes(model))
    return model(keras.tree.map_structure(lambda tensor: given[tensor.name], taken), training=training)


def fits(model: keras.Model, specs: Specs) -> bool:
    """Tells whether a model takes such inputs: their shapes, and their names if there are several."""
    taken = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    given = {name: spec.shape for name, spec in specs.items()}
    return taken == given if len(taken) != 1 else list(taken.values()) == list(given.values())


def shapes(model: keras.Model) -> dict[str, tuple[int | None, ...]]:
    """Returns the shape of one row of each input, by its name."""
    return {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}


def symbolic(specs: Specs) -> dict[str, Any]:
    """Returns Keras' inputs for specs, by name, of the types that their kinds are stored in.

    Args:
        specs: What they are.
    """
    return {name: keras.Input(spec.shape, dtype=spec.about.dtype, name=name) for name, spec in specs.items()}


def begin(spec: Spec) -> Any:
    """Returns Keras' input, float32 (batch, ...), with which a model begins that takes this."""
    return keras.Input(spec.shape, name=spec.name)
