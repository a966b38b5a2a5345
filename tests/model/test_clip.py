"""model=clip: a model of images on every frame, and a head that reads the frames in their order."""

from typing import Any

import keras
import numpy as np
import pytest
from contracts import compose, node

from fer_exp.data.inputs import Spec
from fer_exp.errors import ConfigError
from fer_exp.finetune import unfreeze
from fer_exp.network import cost, named
from fer_exp.options import config

SHAPE = (5, 24, 24, 1)
FRAME = {"widths": [4, 4], "head_units": 8}
CLIPS = np.random.default_rng(0).uniform(0, 255, (3, *SHAPE)).astype(np.float32)


def built(**changes: Any) -> keras.Model:
    chosen = node("model", "clip", units=6)
    chosen["frame"] |= FRAME
    keras.utils.set_random_seed(0)
    model: keras.Model = config.build({**chosen, **changes}, {"clip": Spec("clip", "clip", SHAPE)}, 4)
    return model


def test_the_order_of_the_frames_counts_for_the_recurrent_head_alone() -> None:
    backwards = CLIPS[:, ::-1]
    for over_time, same in (("gru", False), ("mean", True), ("max", True)):
        model = built(over_time=over_time)
        assert np.allclose(model(CLIPS), model(backwards), atol=1e-5) == same, over_time


def test_each_frame_is_seen_by_the_same_model() -> None:
    """A clip of one frame, repeated, is to a mean over frames what that frame is."""
    model = built(over_time="mean")
    still = np.repeat(CLIPS[:, :1], SHAPE[0], axis=1)
    frames = keras.Model(model.get_layer("frame").inputs, model.get_layer("frame").outputs)
    narrower = model.get_layer("narrower")(named.call(frames, {"image": CLIPS[:, 0]})[:, None])[:, 0]
    np.testing.assert_allclose(model(still), model.get_layer("logits")(narrower), rtol=1e-4, atol=1e-5)


def test_every_frame_costs_what_the_model_of_images_costs() -> None:
    model = built(over_time="mean")
    one = cost.multiply_adds(model.get_layer("frame")).total
    heads = sum(cost.of_layer(model.get_layer(name)).total for name in ("narrower", "logits"))
    assert cost.multiply_adds(model).total == SHAPE[0] * one + heads


@pytest.mark.usefixtures("_tiny_backbone")
def test_weights_of_the_frames_backbone_are_told_and_can_be_frozen() -> None:
    frame = node("model", "mobilenet_v1", weights=None, input_size=32, head_units=4)
    model = built(frame=frame)
    assert model.weights_origin == "random"
    assert unfreeze(model, 0.0) < unfreeze(model, 1.0)


def test_options_of_the_frames_model_are_checked() -> None:
    experiment = config.check(compose("model=clip", "dataset.kind=clip"))
    assert experiment.model["frame"]["widths"] == [32, 64, 128, 128]
    with pytest.raises(ConfigError, match=r"`model.frame.batch_norm` must be a valid boolean"):
        config.check(compose("model=clip", "dataset.kind=clip", "model.frame.batch_norm=maybe"))


def test_another_model_sees_the_frames() -> None:
    experiment = config.check(compose("model=clip", "dataset.kind=clip", "model@model.frame=fer_resnet"))
    assert config.option_name(experiment.model["frame"]) == "fer_resnet"


def test_a_model_of_images_on_clips_is_a_mistake_that_names_the_models_of_clips() -> None:
    with pytest.raises(ConfigError, match=r"takes an image. Use model=clip or model=frame_average"):
        config.check(compose("dataset.kind=clip"))
    with pytest.raises(ConfigError, match=r"gives, which is an image. Received: model=clip, which takes a clip"):
        config.check(compose("model=clip"))


def test_a_model_of_clips_within_a_model_of_clips_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"`model.frame` must take an image. Received: clip, which takes a clip"):
        config.check(compose("model=clip", "dataset.kind=clip", "model@model.frame=clip"))


def test_what_is_for_images_alone_is_refused_for_clips() -> None:
    with pytest.raises(ConfigError, match=r"`evaluation.robustness` must be empty"):
        config.check(compose("model=clip", "dataset.kind=clip", "evaluation.robustness=all"))
    with pytest.raises(ConfigError, match=r"`export.kinds` may hold int8_qat for models of one image alone"):
        config.check(compose("model=clip", "dataset.kind=clip", "export.kinds=[int8_qat]"))
