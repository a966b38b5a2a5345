"""Scores are what a calculation by hand gives."""

import keras
import numpy as np
from keras import layers

from fer_exp.network.slim.channel_groups import analyse
from fer_exp.network.slim.channel_scores import scores


def model() -> keras.Model:
    inputs = keras.Input((6, 6, 1))
    one = layers.BatchNormalization(name="norm_one")(layers.Conv2D(2, 1, use_bias=False, name="one")(inputs))
    two = layers.BatchNormalization(name="norm_two")(layers.Conv2D(2, 1, use_bias=False, name="two")(inputs))
    x = layers.DepthwiseConv2D(1, use_bias=False, name="depthwise")(layers.Add()([one, two]))
    x = layers.Dense(3, name="dense")(layers.GlobalAveragePooling2D()(x))
    made = keras.Model(inputs, layers.Dense(2)(x))
    for name, values in {"one": [1, -2], "two": [3, 0], "depthwise": [0.5, -4]}.items():
        kernel = made.get_layer(name).kernel
        kernel.assign(np.reshape(values, kernel.shape))
    made.get_layer("norm_one").gamma.assign([-1.0, 0.5])
    made.get_layer("norm_two").gamma.assign([0.0, 0.25])
    made.get_layer("dense").kernel.assign([[1, 0, -1], [2, 0, -3]])
    return made


def test_all_layers_that_share_a_channel_have_a_say() -> None:
    channels = analyse(model())
    assert [group.paths[:2] for group in channels.groups] == [("one", "two"), ("dense",)]
    residual, dense = scores(channels, "l1")
    np.testing.assert_allclose(residual, [(1 + 3 + 0.5) / 3, (2 + 0 + 4) / 3])
    np.testing.assert_allclose(dense, [3, 0, 4])


def test_a_group_without_batch_norm_has_no_score_of_that_kind() -> None:
    residual, dense = scores(analyse(model()), "batch_norm")
    np.testing.assert_allclose(residual, [0.5, 0.375])
    assert dense is None
