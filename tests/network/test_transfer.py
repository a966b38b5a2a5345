"""What the transfer models share: adaptation of the images, the head, the record of the weights."""

import keras
import numpy as np
import pytest
from keras import layers

from fer_exp.data.inputs import image
from fer_exp.network.transfer import classifier


def backbone(size: int) -> keras.Model:
    inputs = keras.Input((size, size, 3))
    return keras.Model(inputs, layers.Conv2D(4, 3, name="conv")(inputs), name="backbone")


def build(input_shape: tuple[int, int, int], size: int = 8, l2: float = 0.0) -> keras.Model:
    return classifier(backbone(size), image(input_shape), 7, head_units=5, dropout=0.0, l2=l2, origin="random")


def test_a_grey_image_is_the_colour_image_with_three_equal_channels() -> None:
    grey, colour = build((8, 8, 1)), build((8, 8, 3))
    colour.set_weights(grey.get_weights())
    image = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 1)).astype(np.float32)
    np.testing.assert_allclose(grey(image), colour(np.repeat(image, 3, axis=3)), rtol=1e-6)


def test_pixels_reach_the_backbone_between_minus_1_and_1() -> None:
    model = build((8, 8, 3))
    before_backbone = model.layers[model.layers.index(model.get_layer("backbone")) - 1]
    scaled = keras.Model(model.input, before_backbone.output)
    for value, expected in ((0.0, -1.0), (127.5, 0.0), (255.0, 1.0)):
        assert np.asarray(scaled(np.full((1, 8, 8, 3), value, np.float32))) == pytest.approx(expected)


def test_images_of_the_backbones_size_are_not_resized_and_others_are() -> None:
    def kinds(model: keras.Model) -> list[type]:
        return [type(layer) for layer in model.layers]

    assert layers.Resizing not in kinds(build((8, 8, 1)))
    assert layers.Resizing in kinds(build((6, 6, 1)))
    assert build((6, 6, 1))(np.zeros((2, 6, 6, 1), np.float32)).shape == (2, 7)


def test_the_penalty_acts_on_the_kernels_of_the_head_alone() -> None:
    model = build((8, 8, 3), l2=0.1)
    kernels = [np.asarray(model.get_layer(name).kernel) for name in ("head", "logits")]
    assert float(sum(model.losses)) == pytest.approx(sum(0.1 * np.sum(kernel**2) for kernel in kernels), rel=1e-5)
    assert build((8, 8, 3)).losses == []


def test_the_model_remembers_where_the_weights_came_from() -> None:
    assert build((8, 8, 3)).weights_origin == "random"
