"""All frames of a clip are changed by one draw, as an image of the same draw is; sounds are not."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fer_exp.data.inputs import Spec
from fer_exp.fit import by_kind, image_ops

RNG = np.random.default_rng(0)
SEED = tf.constant([1, 2], tf.int32)
IMAGES = RNG.uniform(0, 255, (4, 12, 10, 3)).astype(np.float32)
CLIPS = RNG.uniform(0, 255, (4, 5, 12, 10, 3)).astype(np.float32)
SOUNDS = RNG.uniform(-1, 1, (4, 30)).astype(np.float32)
SPECS = {
    "image": Spec("image", "image", (12, 10, 3)),
    "face": Spec("face", "clip", (5, 12, 10, 3)),
    "voice": Spec("voice", "sound", (30,)),
}
MOVE = functools.partial(
    image_ops.random_affine, rotation_degrees=30, shift=0.2, zoom=0.2, flip_probability=0.5, fill_mode="nearest"
)
LIGHT = functools.partial(image_ops.random_brightness_contrast, brightness=0.3, contrast=0.5)
COLOUR = functools.partial(image_ops.random_saturation, saturation=0.8)
COVER = functools.partial(image_ops.random_occlusion, probability=0.7, min_area=0.1, max_area=0.4, fill="mean")
OPERATIONS = [(MOVE, "channels"), (COVER, "channels"), (LIGHT, "rows"), (COLOUR, "rows")]


def each(operation: Callable[..., Any], frames: Any, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    given = {name: tf.constant(values) for name, values in inputs.items()}
    found = by_kind.each_picture(given, SPECS, lambda images: operation(images, SEED), frames)
    return {name: values.numpy() for name, values in found.items()}


@pytest.mark.parametrize(("operation", "frames"), OPERATIONS)
def test_a_clip_of_equal_frames_stays_one_and_is_changed_as_the_image_is(
    operation: Callable[..., Any], frames: str
) -> None:
    found = each(operation, frames, image=IMAGES, face=np.repeat(IMAGES[:, None], 5, axis=1))
    assert not np.allclose(found["image"], IMAGES)
    for frame in range(5):
        np.testing.assert_allclose(found["face"][:, frame], found["image"], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(("operation", "frames"), [(MOVE, "channels"), (COVER, "channels"), (COLOUR, "rows")])
def test_each_frame_stays_in_its_place_and_is_changed_as_if_it_were_alone(
    operation: Callable[..., Any], frames: str
) -> None:
    found = each(operation, frames, face=CLIPS)["face"]
    for frame in range(5):
        alone = operation(tf.constant(CLIPS[:, frame]), SEED).numpy()
        np.testing.assert_allclose(found[:, frame], alone, rtol=1e-4, atol=1e-2)


def test_light_is_stretched_about_the_mean_of_the_whole_clip() -> None:
    dark_and_bright = np.stack([np.full((4, 12, 10, 3), level, np.float32) for level in (100, 120, 140)], axis=1)
    stretch = functools.partial(image_ops.random_brightness_contrast, brightness=0.0, contrast=0.5)
    found = each(stretch, "rows", face=dark_and_bright)["face"][:, :, 0, 0, 0]
    np.testing.assert_allclose(found.mean(axis=1), 120, rtol=1e-5)
    assert (np.abs(found[:, 2] - found[:, 0] - 40) > 1).all()


@pytest.mark.parametrize(("operation", "frames"), OPERATIONS)
def test_sounds_pass_unchanged_and_names_keep_their_order(operation: Callable[..., Any], frames: str) -> None:
    found = each(operation, frames, voice=SOUNDS, face=CLIPS, image=IMAGES)
    assert list(found) == ["voice", "face", "image"]
    np.testing.assert_array_equal(found["voice"], SOUNDS)
    assert all(not np.allclose(found[name], old) for name, old in (("face", CLIPS), ("image", IMAGES)))
