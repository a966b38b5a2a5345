"""model=frame_average: the mean of what a model of images says of each frame."""

import keras
import numpy as np
from contracts import node

from fer_exp.data.inputs import Spec, image
from fer_exp.options import config

FRAME = node("model", "cnn", widths=[4, 4], head_units=8)


def test_its_logits_are_the_mean_of_those_of_the_frames() -> None:
    clips = np.random.default_rng(0).uniform(0, 255, (2, 5, 24, 24, 1)).astype(np.float32)
    chosen = node("model", "frame_average", frame=FRAME)
    model: keras.Model = config.build(chosen, {"clip": Spec("clip", "clip", (5, 24, 24, 1))}, 3)
    frames: keras.Model = config.build(FRAME, image((24, 24, 1)), 3)
    frames.set_weights(model.get_weights())
    expected = np.mean([frames(clips[:, number]) for number in range(5)], axis=0)
    np.testing.assert_allclose(model(clips), expected, rtol=1e-4, atol=1e-5)
