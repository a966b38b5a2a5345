"""A classifier on top of a convolutional backbone: what the transfer models share.

Called by the builders of models with a backbone. It knows neither a particular backbone nor where its weights are from.
"""

import keras
from keras import layers

from fer_exp.data.inputs import Specs, only
from fer_exp.network import named

# keras.applications' 0.999 remembers ImageNet's statistics for thousands of steps, long after the weights have moved.
MOMENTUM = 0.99


def classifier(
    backbone: keras.Model,
    inputs: Specs,
    num_classes: int,
    *,
    head_units: int,
    dropout: float,
    l2: float,
    origin: str,
) -> keras.Model:
    """Puts adaptation, scaling to [-1, 1] and a dense head around a backbone that takes colour images.

    Args:
        backbone: Model (batch, size, size, 3) in [-1, 1] -> features (batch, h, w, c).
        inputs: What the data set gives: one image, with values in [0, 255].
        num_classes: Number of logits.
        head_units: Width of the dense layer.
        dropout: Share of activations dropped before the logits.
        l2: L2 penalty on the kernels of the head.
        origin: What the backbone's weights come from, for the record.

    Returns:
        Uncompiled model (batch, height, width, channels) -> logits (batch, num_classes).
    """
    size = backbone.input_shape[1]
    penalty = keras.regularizers.L2(l2) if l2 else None
    spec = only(inputs, "image")
    image = named.begin(spec)
    x = image
    if spec.shape[:2] != (size, size):
        x = layers.Resizing(size, size, interpolation="bilinear")(x)
    if spec.shape[2] == 1:
        x = layers.Concatenate()([x, x, x])  # (batch, size, size, 3)
    x = layers.Rescaling(1.0 / 127.5, offset=-1.0)(x)
    x = backbone(x)
    # keepdims leaves a MEAN over a 4-D tensor, which mobile delegates accept.
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(head_units, activation="relu", kernel_regularizer=penalty, name="head")(x)
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(num_classes, kernel_regularizer=penalty, dtype="float32", name="logits")(x)
    model = keras.Model(image, logits, name=f"{backbone.name}_classifier")
    model.weights_origin = origin
    return model
