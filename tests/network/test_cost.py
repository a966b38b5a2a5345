"""Multiply-adds, against products written out by hand."""

import keras
from keras import layers

from fer_exp.network.cost import MultiplyAdds, multiply_adds


def test_each_kind_of_layer_is_counted_by_hand() -> None:
    inputs = keras.Input((10, 12, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same")(inputs)  # 5 x 6 pixels
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Conv2D(4, 1)(x)
    x = layers.SeparableConv2D(5, 3)(x)  # 3 x 4 pixels
    x = layers.BatchNormalization()(x)
    x = layers.Flatten()(x)
    model = keras.Model(inputs, layers.Dense(7)(x))
    assert multiply_adds(model) == MultiplyAdds(
        dense_spatial=30 * 9 * 3 * 8,
        depthwise=30 * 9 * 8 + 12 * 9 * 4,
        pointwise=30 * 8 * 4 + 12 * 4 * 5,
        fully_connected=60 * 7,
    )


def test_grouped_convolutions_and_models_within_models_count() -> None:
    inner_inputs = keras.Input((4, 4, 6))
    inner = keras.Model(inner_inputs, layers.Conv2D(6, 3, groups=3, padding="same")(inner_inputs))
    inputs = keras.Input((4, 4, 6))
    found = multiply_adds(keras.Model(inputs, inner(inputs)))
    assert found == MultiplyAdds(dense_spatial=16 * 9 * 2 * 6)
    assert found.total == 16 * 9 * 2 * 6
