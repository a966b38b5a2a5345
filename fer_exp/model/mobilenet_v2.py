"""MobileNetV2 with an ImageNet backbone and a small dense head."""

from typing import Literal

import keras

from fer_exp.data.inputs import Specs
from fer_exp.network import imagenet
from fer_exp.network.batch_norm import fuse
from fer_exp.network.transfer import MOMENTUM, classifier
from fer_exp.signature import ImageSize, InputPath, NonNegativeFloat, OpenFraction, PositiveFloat, PositiveInt


def build(
    inputs: Specs,
    num_classes: int,
    *,
    alpha: PositiveFloat,
    input_size: ImageSize,
    weights: Literal["auto", "imagenet"] | InputPath | None,
    head_units: PositiveInt,
    dropout: OpenFraction,
    l2: NonNegativeFloat,
) -> keras.Model:
    """Builds the network; it resizes and adapts the channels itself.

    Args:
        inputs: What the data set gives: one image, with values in [0, 255].
        num_classes: Number of logits.
        alpha: Width multiplier; ImageNet weights exist for 0.35, 0.5, 0.75, 1.0, 1.3 or 1.4.
        input_size: Side in pixels that the images are resized to inside the model, >= 32.
        weights: auto (ImageNet if at hand within seconds, else random), imagenet, null (random) or a path to a
            Keras weights file of the backbone without its top.
        head_units: Width of the dense layer before the logits.
        dropout: Share of activations dropped before the logits, 0 <= rate < 1.
        l2: Weight of the L2 penalty on the kernels of the head; 0 for none.

    Returns:
        Uncompiled model: (batch, height, width, channels) in [0, 255] -> logits (batch, num_classes).

    Raises:
        WeightsError: If the weights cannot be had or do not fit.
    """
    backbone = keras.applications.MobileNetV2(
        input_shape=(input_size, input_size, 3), alpha=alpha, include_top=False, weights=None, name="backbone"
    )
    backbone = fuse(backbone, MOMENTUM)
    origin = imagenet.load(backbone, weights, "mobilenet_v2", alpha, input_size)
    return classifier(backbone, inputs, num_classes, head_units=head_units, dropout=dropout, l2=l2, origin=origin)
