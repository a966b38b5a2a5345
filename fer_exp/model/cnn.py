"""The small separable-convolution network for training on an ordinary laptop CPU."""

from typing import Annotated

import keras
from keras import layers
from pydantic import Field

from fer_exp.data.inputs import Specs, only
from fer_exp.network import named
from fer_exp.network.batch_norm import BatchNormalization
from fer_exp.network.dropout import Dropout
from fer_exp.signature import NonNegativeFloat, OpenFraction, PositiveInt

# Keras' 0.99 needs hundreds of steps before validation can be trusted; the built-in data set has 77 an epoch.
_MOMENTUM = 0.9


def build(
    inputs: Specs,
    num_classes: int,
    *,
    widths: Annotated[list[PositiveInt], Field(min_length=2, max_length=8)],
    batch_norm: bool,
    block_dropout: OpenFraction,
    head_units: PositiveInt,
    head_dropout: OpenFraction,
    l2: NonNegativeFloat,
) -> keras.Model:
    """Builds two 3x3 separable convolutions, a 2x2 pool and a dropout for each pair of widths, then a dense head.

    Args:
        inputs: What the data set gives: one image, with values in [0, 255].
        num_classes: Number of logits.
        widths: Output channels of the separable convolutions; a pool follows every second one.
        batch_norm: Normalise before every ReLU; without it the net may stay at one class.
        block_dropout: Share of activations dropped after each pool, 0 <= rate < 1.
        head_units: Width of the dense layer before the logits.
        head_dropout: Share of activations dropped before the logits, 0 <= rate < 1.
        l2: Weight of the L2 penalty on all kernels; 0 for none.

    Returns:
        Uncompiled model: (batch, height, width, channels) in [0, 255] -> logits (batch, num_classes).
    """
    penalty = keras.regularizers.L2(l2) if l2 else None
    image = named.begin(only(inputs, "image"))
    x = layers.Rescaling(1.0 / 255)(image)
    for index, width in enumerate(widths):
        x = layers.SeparableConv2D(
            width, 3, use_bias=not batch_norm, depthwise_regularizer=penalty, pointwise_regularizer=penalty
        )(x)
        if batch_norm:
            x = BatchNormalization(momentum=_MOMENTUM)(x)
        x = layers.ReLU()(x)
        if index % 2:
            x = layers.MaxPooling2D()(x)
            x = Dropout(block_dropout)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(head_units, use_bias=not batch_norm, kernel_regularizer=penalty)(x)
    if batch_norm:
        # Ten thousand inputs: without it Adam's first steps at 1e-3 switch most of these units off for good.
        x = BatchNormalization(momentum=_MOMENTUM)(x)
    x = layers.ReLU()(x)
    x = Dropout(head_dropout)(x)
    logits = layers.Dense(num_classes, kernel_regularizer=penalty, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="cnn")
