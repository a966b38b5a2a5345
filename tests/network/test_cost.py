"""Multiply-adds, against products written out by hand."""

from typing import Any

import keras
import pytest
from keras import layers

from fer_exp.network.cost import MultiplyAdds, multiply_adds


def cost_of(shape: tuple[int | None, ...], *chain: layers.Layer) -> MultiplyAdds:
    """Returns the cost of layers that follow each other."""
    x = inputs = keras.Input(shape)
    for layer in chain:
        x = layer(x)
    return multiply_adds(keras.Model(inputs, x))


def test_each_kind_of_layer_is_counted_by_hand() -> None:
    found = cost_of(
        (10, 12, 3),
        layers.Conv2D(8, 3, strides=2, padding="same"),  # 5 x 6 pixels
        layers.DepthwiseConv2D(3, padding="same"),
        layers.Conv2D(4, 1),
        layers.SeparableConv2D(5, 3),  # 3 x 4 pixels
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(7),
    )
    assert found == MultiplyAdds(
        dense_spatial=30 * 9 * 3 * 8,
        depthwise=30 * 9 * 8 + 12 * 9 * 4,
        pointwise=30 * 8 * 4 + 12 * 4 * 5,
        fully_connected=60 * 7,
    )


def test_grouped_convolutions_and_models_within_models_count() -> None:
    inner_inputs = keras.Input((4, 4, 6))
    inner = keras.Model(inner_inputs, layers.Conv2D(6, 3, groups=3, padding="same")(inner_inputs))
    found = cost_of((4, 4, 6), inner)
    assert found == MultiplyAdds(dense_spatial=16 * 9 * 2 * 6)
    assert found.total == 16 * 9 * 2 * 6


def test_a_layer_counts_at_each_call_and_of_another_model_at_none() -> None:
    shared = layers.Conv2D(3, 3, padding="same")
    inputs = keras.Input((5, 5, 3))
    once, twice = keras.Model(inputs, shared(inputs)), keras.Model(inputs, shared(shared(inputs)))
    assert multiply_adds(once).total == 25 * 9 * 9
    assert multiply_adds(twice).total == 2 * 25 * 9 * 9


@pytest.mark.parametrize(
    ("shape", "layer", "expected"),
    [
        ((20, 3), layers.Conv1D(4, 5), {"dense_spatial": 16 * 5 * 3 * 4}),
        ((20, 3), layers.SeparableConv1D(4, 5), {"depthwise": 16 * 5 * 3, "pointwise": 16 * 3 * 4}),
        ((20, 3), layers.DepthwiseConv1D(5), {"depthwise": 16 * 5 * 3}),
        ((6, 8, 8, 2), layers.Conv3D(4, 3), {"dense_spatial": 4 * 6 * 6 * 27 * 2 * 4}),
        ((6, 8, 8, 2), layers.Conv3D(4, 1), {"pointwise": 6 * 8 * 8 * 2 * 4}),
        ((4, 4, 2), layers.Conv2DTranspose(3, 2, strides=2), {"dense_spatial": 16 * 4 * 2 * 3}),
        ((9, 5), layers.Dense(7), {"fully_connected": 9 * 5 * 7}),
        ((9, 5), layers.EinsumDense("abc,cd->abd", output_shape=(9, 7)), {"fully_connected": 9 * 5 * 7}),
        ((9, 5), layers.SimpleRNN(4), {"fully_connected": 9 * (5 * 4 + 4 * 4)}),
        ((9, 5), layers.GRU(4, return_sequences=True), {"fully_connected": 9 * 3 * (5 * 4 + 4 * 4)}),
        ((9, 5), layers.LSTM(4), {"fully_connected": 9 * 4 * (5 * 4 + 4 * 4)}),
        ((9, 5), layers.Bidirectional(layers.GRU(4)), {"fully_connected": 2 * 9 * 3 * (5 * 4 + 4 * 4)}),
        ((6, 8, 8, 2), layers.TimeDistributed(layers.Conv2D(3, 3)), {"dense_spatial": 6 * 36 * 9 * 2 * 3}),
        ((9, 5), layers.LayerNormalization(), {}),
    ],
    ids=lambda value: value.name if isinstance(value, layers.Layer) else None,
)
def test_layers_over_time_and_space_are_counted(
    shape: tuple[int, ...], layer: layers.Layer, expected: dict[str, Any]
) -> None:
    assert cost_of(shape, layer) == MultiplyAdds(**expected)


def test_a_model_at_each_moment_counts_as_often_as_there_are_moments() -> None:
    inputs = keras.Input((8, 8, 2))
    frame = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(layers.Conv2D(4, 3)(inputs))))
    found = cost_of((6, 8, 8, 2), layers.TimeDistributed(frame))
    assert found == MultiplyAdds(dense_spatial=6 * 36 * 9 * 2 * 4, fully_connected=6 * 36 * 4 * 3)


def test_attention_counts_its_projections_its_scores_and_its_sums() -> None:
    query, value = keras.Input((7, 6)), keras.Input((9, 5))
    model = keras.Model([query, value], layers.MultiHeadAttention(2, key_dim=3, value_dim=4)(query, value))
    projections = 7 * 6 * 3 + 9 * 5 * 3 + 9 * 5 * 4
    assert multiply_adds(model).fully_connected == 2 * (projections + 7 * 9 * 3 + 7 * 9 * 4 + 7 * 4 * 6)


class Odd(layers.Layer):
    """Multiplies in a way of its own."""

    def build(self, shape: tuple[int, ...]) -> None:
        """Makes the weights."""
        self.matrix = self.add_weight(shape=(shape[-1], shape[-1]))

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Returns what it takes, mixed."""
        return inputs @ self.matrix


def test_what_cannot_be_counted_is_named_and_counts_nothing() -> None:
    found = cost_of((9, 5), Odd(name="odd"), layers.Dense(2))
    assert found == MultiplyAdds(fully_connected=9 * 5 * 2, uncounted=("odd",))
    any_length = cost_of((None, 5), layers.GRU(4, name="memory"), layers.Dense(2))
    assert any_length == MultiplyAdds(fully_connected=4 * 2, uncounted=("memory",))


def test_a_sequential_model_is_counted() -> None:
    assert multiply_adds(keras.Sequential([keras.Input((4,)), layers.Dense(3)])).total == 12
