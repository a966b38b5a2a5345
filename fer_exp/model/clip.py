"""A model of images seen frame by frame, and a head that reads the frames in their order."""

from typing import Any, Literal

import keras
from keras import layers

from fer_exp.data.inputs import Specs, only
from fer_exp.network import named, per_frame
from fer_exp.options import config
from fer_exp.signature import OpenFraction, PositiveInt

TAKES = ("clip",)


def build(
    inputs: Specs,
    num_classes: int,
    *,
    frame: dict[str, Any],
    over_time: Literal["gru", "mean", "max"],
    units: PositiveInt,
    dropout: OpenFraction,
) -> keras.Model:
    """Builds the network: the features of each frame, made narrower, then over time, then the logits.

    Args:
        inputs: What the data set gives: one clip, with values in [0, 255].
        num_classes: Number of logits.
        frame: The model that sees each frame, with its own options; what it has before its logits is used.
        over_time: Either `gru` (recurrent: knows the order of the frames), or `mean` or `max` over all frames.
        units: Width of the features of a frame, and of the recurrent layer.
        dropout: Share of activations dropped before the logits, 0 <= rate < 1.

    Returns:
        Uncompiled model: (batch, frames, height, width, channels) in [0, 255] -> logits (batch, num_classes).
    """
    spec = only(inputs, "clip")
    whole: keras.Model = config.build(frame, per_frame.one_frame(spec), num_classes)
    clip = named.begin(spec)
    x = per_frame.apply(per_frame.without_logits(whole), clip)  # (batch, frames, features)
    x = layers.Dense(units, activation="relu", name="narrower")(x)
    if over_time == "gru":
        # Without a loop in the graph it trains faster on a CPU, and converts to operations that every phone has.
        x = layers.GRU(units, unroll=True, name="over_time")(x)
    elif over_time == "mean":
        x = layers.GlobalAveragePooling1D(name="over_time")(x)
    else:
        x = layers.GlobalMaxPooling1D(name="over_time")(x)
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    model = keras.Model(clip, logits, name="clip_classifier")
    model.weights_origin = getattr(whole, "weights_origin", "random")
    return model
