"""A folded network computes what the trained one does, without batch normalisation."""

from typing import Any

import keras
import numpy as np
import pytest
from contracts import node
from keras import layers

from fer_exp.data.inputs import image
from fer_exp.errors import ExportError
from fer_exp.lite import folding
from fer_exp.options import config

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "cnn": ("cnn", {"widths": [4, 6], "head_units": 8}),
    "without batch norm": ("cnn", {"widths": [4, 6], "head_units": 8, "batch_norm": False}),
    "fer_resnet": ("fer_resnet", {"input_size": 32, "crop": 28, "stem_width": 4, "widths": [4, 8], "depths": [1, 1]}),
    "mobilenet_v1": ("mobilenet_v1", {"alpha": 0.1, "input_size": 32, "weights": None, "head_units": 8}),
    "mobilenet_v2": ("mobilenet_v2", {"alpha": 0.1, "input_size": 32, "weights": None, "head_units": 8}),
}
# Patches of 7 x 7 pixels, so that deep layers see differences.
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 4, 4, 1), dtype=np.uint8).repeat(7, axis=1).repeat(7, axis=2)


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def as_if_trained(name: str, sensitive: bool = True) -> keras.Model:
    """A model whose batch normalisation does something, and whose logits are of a size that trained ones have.

    Deep narrow networks of random weights turn the least difference into another answer if every layer stretches it:
    one that is not sensitive has statistics of nothing.
    """
    keras.utils.set_random_seed(0)
    option, changes = MODELS[name]
    model: keras.Model = config.build(node("model", option, **changes), image((28, 28, 1)), 3)
    rng = np.random.default_rng(1)
    for variable in model.variables:
        if "gamma" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif "beta" in variable.path:
            variable.assign(rng.normal(0, 0.2, variable.shape))
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
    if sensitive:
        model(IMAGES.astype(np.float32), training=True)  # the statistics are those of the images
    logits = np.asarray(model(IMAGES.astype(np.float32), training=False))
    kernel, bias = model.get_layer("logits").weights
    kernel.assign(kernel * 2 / logits.std())
    bias.assign(-logits.mean(axis=0) * 2 / logits.std())
    return model


@pytest.mark.parametrize("name", MODELS)
def test_folding_changes_no_answer_and_leaves_no_batch_normalisation(name: str) -> None:
    model = as_if_trained(name)
    network = folding.folded(folding.read(model))
    flat, _ = folding.built(network)
    images = IMAGES.astype(np.float32)
    expected = np.asarray(model(images, training=False))
    assert expected.std() > 1
    found = np.asarray(flat(images, training=False))
    np.testing.assert_allclose(softmax(found), softmax(expected), atol=1e-4)
    left = {step.kind for step in network.steps}
    assert not [kind for kind in left if issubclass(kind, (layers.BatchNormalization, layers.SeparableConv2D))]
    assert not [layer for layer in flat.layers if isinstance(layer, keras.Model)]


def test_the_model_that_is_read_stays_as_it_is() -> None:
    model = as_if_trained("cnn")
    before = [np.array(variable) for variable in model.variables]
    folding.built(folding.folded(folding.read(model)))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.variables, strict=True))
    assert model.get_layer("logits").output is model.output  # it was not called again


def test_batch_normalisation_behind_something_else_is_refused_by_name() -> None:
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(2, 3)(inputs)
    model = keras.Model(inputs, layers.BatchNormalization(name="late")(layers.ReLU()(x)))
    with pytest.raises(ExportError, match="`late` \\(BatchNormalization\\) must stand behind a convolution or a dense"):
        folding.folded(folding.read(model))


def test_batch_normalisation_is_not_folded_where_its_input_is_read_elsewhere_too() -> None:
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(2, 3)(inputs)
    model = keras.Model(inputs, layers.Add()([x, layers.BatchNormalization()(x)]))
    with pytest.raises(ExportError, match="that nothing else reads"):
        folding.folded(folding.read(model))


def test_a_layer_that_is_called_twice_is_refused_by_name() -> None:
    inputs = keras.Input((8, 8, 1))
    shared = layers.Conv2D(1, 3, padding="same", name="shared")
    with pytest.raises(ExportError, match="`shared` must be the name of one layer that is called once."):
        folding.read(keras.Model(inputs, shared(shared(inputs))))
