"""A small residual network of dense 3x3 convolutions: the most accuracy for its multiply-adds on FER2013.

Dense convolutions run near the matrix-multiply peak of a CPU, which depthwise ones are far from.
"""

from dataclasses import dataclass
from typing import Annotated

import keras
from keras import layers
from pydantic import Field

from fer_exp.data.inputs import Specs, only
from fer_exp.errors import ConfigError
from fer_exp.network import named
from fer_exp.network.batch_norm import BatchNormalization
from fer_exp.signature import ImageSize, NonNegativeFloat, OpenFraction, PositiveInt


def build(
    inputs: Specs,
    num_classes: int,
    *,
    input_size: ImageSize,
    crop: PositiveInt | None,
    stem_width: PositiveInt,
    widths: Annotated[list[PositiveInt], Field(min_length=1, max_length=6)],
    depths: Annotated[list[PositiveInt], Field(min_length=1, max_length=6)],
    batch_norm_momentum: OpenFraction,
    dropout: OpenFraction,
    l2: NonNegativeFloat,
) -> keras.Model:
    """Builds a convolution and a 2x2 pool, then stages of residual blocks, a pool before each stage but the first.

    Args:
        inputs: What the data set gives: one image, with values in [0, 255].
        num_classes: Number of logits.
        input_size: Side in pixels that the images are resized to inside the model, >= 32.
        crop: Side in pixels of the centre that is used of them, at most input_size; null for all. An augmentation
            that shifts by up to (input_size - crop) / 2 pixels makes it a random crop in training.
        stem_width: Channels of the first convolution.
        widths: Channels of each stage; multiples of 32 run fastest.
        depths: Residual blocks of each stage, as many as widths.
        batch_norm_momentum: Share of the moving statistics that each step keeps, 0 <= momentum < 1; averaged weights
            (optimizer.ema_momentum) want statistics that are averaged about as long.
        dropout: Share of pooled features dropped before the logits, 0 <= rate < 1.
        l2: Weight of the L2 penalty on all kernels; 0 for none.

    Returns:
        Uncompiled model: (batch, height, width, channels) in [0, 255] -> logits (batch, num_classes).

    Raises:
        ConfigError: If crop exceeds input_size, or widths and depths differ in length.

    Source:
        He et al., "Deep Residual Learning for Image Recognition", 2016, https://arxiv.org/abs/1512.03385. Pools in
        place of strides learn a little better here, for as many multiply-adds, and strides are slow on CPUs.
    """
    _check(input_size, crop, widths, depths)
    penalty = keras.regularizers.L2(l2) if l2 else None
    style = _Style(penalty, batch_norm_momentum)
    image = named.begin(only(inputs, "image"))
    x = image
    if image.shape[1:3] != (input_size, input_size):
        x = layers.Resizing(input_size, input_size, interpolation="bilinear")(x)
    if crop is not None and crop < input_size:
        x = layers.CenterCrop(crop, crop)(x)
    x = layers.Rescaling(1.0 / 127.5, offset=-1.0)(x)
    x = layers.ReLU()(style.convolution(x, stem_width, 3))
    x = layers.MaxPooling2D()(x)
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        for block in range(depth):
            if stage and not block:
                x = layers.AveragePooling2D(2, padding="same")(x)
            x = _residual_block(x, width, style)
    # keepdims leaves a MEAN over a 4-D tensor, which mobile delegates accept.
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(num_classes, kernel_regularizer=penalty, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="fer_resnet")


def _check(input_size: int, crop: int | None, widths: list[int], depths: list[int]) -> None:
    problems = []
    if crop is not None and crop > input_size:
        problems.append(f"`model.crop` must be at most model.input_size={input_size}. Received: model.crop={crop}.")
    if len(widths) != len(depths):
        problems.append(
            f"`model.depths` must be as many as `model.widths`. Received: model.widths={widths}, model.depths={depths}."
        )
    if problems:
        raise ConfigError(problems)


@dataclass(frozen=True)
class _Style:
    """What all convolutions of the network have in common."""

    penalty: keras.regularizers.Regularizer | None
    momentum: float

    def convolution(self, x: keras.KerasTensor, width: int, size: int, first_scale: str = "ones") -> keras.KerasTensor:
        """Convolves and normalises."""
        x = layers.Conv2D(
            width,
            size,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            kernel_regularizer=self.penalty,
        )(x)
        return BatchNormalization(momentum=self.momentum, gamma_initializer=first_scale)(x)


def _residual_block(x: keras.KerasTensor, width: int, style: _Style) -> keras.KerasTensor:
    """Two 3x3 convolutions beside a shortcut, which is projected where the width changes."""
    shortcut = x if x.shape[-1] == width else style.convolution(x, width, 1)
    x = layers.ReLU()(style.convolution(x, width, 3))
    # A scale of zero makes the block begin as its shortcut, which lets a high learning rate start.
    x = style.convolution(x, width, 3, first_scale="zeros")
    return layers.ReLU()(layers.Add()([x, shortcut]))
