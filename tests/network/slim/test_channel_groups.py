"""What is added together belongs together, and what is not understood is named."""

import keras
import numpy as np
import pytest
from keras import layers
from slim_models import small

from fer_exp.errors import PruningError
from fer_exp.network.slim.channel_groups import analyse


def around(*between: layers.Layer) -> keras.Model:
    """A convolution, some layers, another convolution, and two outputs."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="first")(inputs)
    for layer in between:
        x = layer(x)
    x = layers.Conv2D(5, 1, name="second")(x)
    return keras.Model(inputs, layers.Dense(2, name="out")(layers.GlobalAveragePooling2D()(x)))


def test_residual_blocks_share_the_channels_of_their_shortcut() -> None:
    channels = analyse(small("fer_resnet"))
    # Stem 8 and both blocks of the first stage; then a projection and both blocks of the second.
    assert [(len(group.paths), len(group.channels)) for group in channels.groups] == [
        (3, 8), (1, 8), (1, 8), (1, 16), (3, 16), (1, 16),
    ]  # fmt: skip


def test_each_width_of_mobilenet_v2_is_a_group_and_its_linear_bottlenecks_are_joined() -> None:
    groups = analyse(small("mobilenet_v2")).groups
    joined = {group.paths[0]: len(group.paths) for group in groups if len(group.paths) > 1}
    assert joined == {
        "backbone/block_1_project": 2,
        "backbone/block_3_project": 3,
        "backbone/block_6_project": 4,
        "backbone/block_10_project": 3,
        "backbone/block_13_project": 3,
    }
    assert groups[-1].paths == ("head",)


def test_the_channels_of_images_and_of_logits_stay() -> None:
    model = around()
    assert [group.paths for group in analyse(model).groups] == [("first",), ("second",)]


@pytest.mark.parametrize(
    "between",
    [
        (layers.ZeroPadding2D(), layers.ReLU(6.0), layers.MaxPooling2D()),
        (layers.BatchNormalization(), layers.Activation("swish"), layers.Dropout(0.5)),
        (layers.Rescaling(0.5, offset=1.0), layers.AveragePooling2D(2), layers.UpSampling2D()),
    ],
)
def test_layers_that_keep_channels_apart_hand_them_on(between: tuple[layers.Layer, ...]) -> None:
    channels = analyse(around(*between))
    first, second = (port for port in channels.ports if port.path in ("first", "second"))
    np.testing.assert_array_equal(first.outputs, second.inputs)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (layers.LayerNormalization(name="odd"), "`odd` (LayerNormalization) must have a kind of layer whose channels"),
        (layers.Conv2DTranspose(4, 3, name="odd"), "`odd` (Conv2DTranspose) must have a kind of layer whose channels"),
        (layers.Conv2D(4, 1, groups=2, name="odd"), "`odd` (Conv2D) must have groups=1"),
        (layers.BatchNormalization(axis=1, name="odd"), "`odd` (BatchNormalization) must have the last axis"),
        (layers.Rescaling([1.0, 2.0, 3.0, 4.0], name="odd"), "`odd` (Rescaling) must have one scale for all channels"),
        (layers.Reshape((6, 24, 1), name="odd"), "`odd` (Reshape) must have a shape that keeps the channels"),
    ],
)
def test_what_is_not_understood_is_named(layer: layers.Layer, said: str) -> None:
    with pytest.raises(PruningError, match="cannot find the channels that belong together") as error:
        analyse(around(layer))
    assert said in str(error.value)
    assert "fer_exp/network/slim/channel_groups.py" in str(error.value)


def test_a_layer_of_another_kind_within_the_backbone_is_named_with_its_place() -> None:
    inputs = keras.Input((8, 8, 3))
    backbone = keras.Model(inputs, layers.UnitNormalization(name="odd")(inputs), name="backbone")
    outer = keras.Input((8, 8, 3))
    with pytest.raises(PruningError, match=r"`backbone/odd` \(UnitNormalization\)"):
        analyse(keras.Model(outer, backbone(outer)))


def test_shares_of_a_sum_over_channels_stay() -> None:
    assert [group.paths for group in analyse(around(layers.Activation("softmax"))).groups] == [("second",)]
    assert [group.paths for group in analyse(around(layers.Dense(4, activation="softmax"))).groups] == [
        ("first",),
        ("second",),
    ]


def test_a_sequential_model_is_walked_too() -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="first"), layers.Flatten()])
    model.add(layers.Dense(2))
    (group,) = analyse(model).groups
    assert group.paths == ("first",)
