"""Views of an image for averaging, against slices by hand."""

import numpy as np
import pytest

from fer_exp.fit.test_time import views

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1), np.uint8)


def test_flip_gives_the_image_and_its_mirror_image() -> None:
    first, second = views(IMAGES, "flip")
    np.testing.assert_array_equal(first, IMAGES)
    np.testing.assert_array_equal(second, IMAGES[:, :, ::-1])


def test_ten_crop_shows_a_model_that_crops_44_the_centre_and_the_corners_each_with_its_mirror_image() -> None:
    found = list(views(IMAGES, "ten_crop"))
    crops = [view[:, 2:46, 2:46] for view in found[::2]]
    expected = [IMAGES[:, y : y + 44, x : x + 44] for y, x in ((2, 2), (4, 4), (4, 0), (0, 4), (0, 0))]
    for crop, wanted in zip(crops, expected, strict=True):
        np.testing.assert_array_equal(crop, wanted)
    for view, mirrored in zip(found[::2], found[1::2], strict=True):
        np.testing.assert_array_equal(mirrored, view[:, :, ::-1])


def test_what_lies_outside_is_the_edge() -> None:
    down_right = list(views(IMAGES, "ten_crop"))[8]
    np.testing.assert_array_equal(down_right[:, 0, 2:], IMAGES[:, 0, :-2])
    np.testing.assert_array_equal(down_right[:, 1, 2:], IMAGES[:, 0, :-2])


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="`kind` must be flip or ten_crop. Received: five"):
        list(views(IMAGES, "five"))
