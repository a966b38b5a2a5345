"""A model of images applied to every frame of a clip, as one larger batch.

Called by the builders of models of clips. Keras' `TimeDistributed` calls a model once for each frame. Models are saved
with operations of Keras alone, so that a `.keras` file loads anywhere.
"""

import math
from typing import Any

import keras
from keras import ops

from fer_exp.data.inputs import Spec, Specs


def one_frame(clip: Spec) -> Specs:
    """Returns what a model takes that sees one frame of a clip: an image."""
    return {"image": Spec("image", "image", clip.shape[1:])}


def without_logits(model: keras.Model) -> keras.Model:
    """Returns a model up to what its layer `logits` takes: images (batch, ...) -> features (batch, n).

    Raises:
        ValueError: If there is no such layer, or what it takes is no row of features.
    """
    features = model.get_layer("logits").input
    if len(features.shape) != 2:
        raise ValueError(f"`logits` of {model.name} must take features (batch, n). Received: {features.shape}.")
    return keras.Model(model.input, features, name="frame")


def apply(model: keras.Model, clip: Any) -> Any:
    """Applies a model to every frame.

    Args:
        model: (batch, height, width, channels) -> (batch, n).
        clip: (batch, frames, height, width, channels).

    Returns:
        (batch, frames, n).
    """
    frames, *shape = clip.shape[1:]
    rows = model(ops.reshape(clip, (-1, *shape)))
    return ops.reshape(rows, (-1, frames, math.prod(rows.shape[1:])))
