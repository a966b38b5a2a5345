"""Views of an image for averaging, against slices by hand."""

import numpy as np
import pytest

from fer_exp.fit.test_time import views

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 48, 48, 1), np.uint8)


def of_images(images: np.ndarray, kind: str) -> list[np.ndarray]:
    return [view["image"] for view in views({"image": images}, {"image": "image"}, kind)]


def test_flip_gives_the_image_and_its_mirror_image() -> None:
    first, second = of_images(IMAGES, "flip")
    np.testing.assert_array_equal(first, IMAGES)
    np.testing.assert_array_equal(second, IMAGES[:, :, ::-1])


def test_ten_crop_shows_a_model_that_crops_44_the_centre_and_the_corners_each_with_its_mirror_image() -> None:
    found = of_images(IMAGES, "ten_crop")
    crops = [view[:, 2:46, 2:46] for view in found[::2]]
    expected = [IMAGES[:, y : y + 44, x : x + 44] for y, x in ((2, 2), (4, 4), (4, 0), (0, 4), (0, 0))]
    for crop, wanted in zip(crops, expected, strict=True):
        np.testing.assert_array_equal(crop, wanted)
    for view, mirrored in zip(found[::2], found[1::2], strict=True):
        np.testing.assert_array_equal(mirrored, view[:, :, ::-1])


def test_what_lies_outside_is_the_edge() -> None:
    down_right = of_images(IMAGES, "ten_crop")[8]
    np.testing.assert_array_equal(down_right[:, 0, 2:], IMAGES[:, 0, :-2])
    np.testing.assert_array_equal(down_right[:, 1, 2:], IMAGES[:, 0, :-2])


@pytest.mark.parametrize("kind", ["flip", "ten_crop"])
def test_all_frames_of_a_clip_are_moved_as_images_are_and_sounds_are_not(kind: str) -> None:
    clips, sounds = RNG.integers(0, 256, (3, 4, 24, 48, 3), np.uint8), RNG.uniform(-1, 1, (3, 50)).astype(np.float32)
    found = list(views({"voice": sounds, "face": clips}, {"voice": "sound", "face": "clip"}, kind))
    for frame in range(4):
        for view, alone in zip(found, of_images(clips[:, frame], kind), strict=True):
            np.testing.assert_array_equal(view["face"][:, frame], alone)
    for view in found:
        assert list(view) == ["voice", "face"]
        np.testing.assert_array_equal(view["voice"], sounds)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="`kind` must be flip or ten_crop. Received: five"):
        of_images(IMAGES, "five")
