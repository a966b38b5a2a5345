"""A model of images asked frame by frame, and the mean of its answers: what frames say without their order."""

from typing import Any

import keras

from fer_exp.data.inputs import Specs, only
from fer_exp.network import named, per_frame
from fer_exp.options import config

TAKES = ("clip",)


def build(inputs: Specs, num_classes: int, *, frame: dict[str, Any]) -> keras.Model:
    """Builds the network. It is what a model that knows time has to beat.

    Args:
        inputs: What the data set gives: one clip, with values in [0, 255].
        num_classes: Number of logits.
        frame: The model that answers each frame, with its own options.

    Returns:
        Uncompiled model: (batch, frames, height, width, channels) in [0, 255] -> logits (batch, num_classes), the mean
        of those of the frames.
    """
    spec = only(inputs, "clip")
    whole: keras.Model = config.build(frame, per_frame.one_frame(spec), num_classes)
    clip = named.begin(spec)
    answers = per_frame.apply(whole, clip)  # (batch, frames, classes)
    logits = keras.layers.GlobalAveragePooling1D(dtype="float32", name="logits")(answers)
    model = keras.Model(clip, logits, name="frame_average")
    model.weights_origin = getattr(whole, "weights_origin", "random")
    return model
