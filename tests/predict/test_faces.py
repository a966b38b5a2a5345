"""What the model sees of a picture: the faces that are found, or all of it."""

import numpy as np
import pytest
from drawn_faces import SIDE, flat, found_faces, photo

from fer_exp.predict import faces
from fer_exp.predict.faces import Box


def test_each_face_of_a_photo_is_found_where_it_is_the_largest_first() -> None:
    small = found_faces()[1].resize((100, 100))
    first, second = faces.find(photo(found_faces()[0], small), "haar", (24, 24, 1))
    for face, left, side in ((first, 120, SIDE), (second, 320, 100)):
        box = face.box
        assert box is not None
        assert left - 10 <= box.x < box.x + box.width <= left + side + 10
        assert box.width > side / 2
        assert face.pixels.shape == (24, 24, 1)


def test_what_the_model_gets_is_the_face_and_nothing_around_it() -> None:
    picture = photo(found_faces()[0])
    (face,) = faces.find(picture, "haar", (24, 24, 3))
    box = face.box
    assert box is not None
    crop = picture.crop((box.x, box.y, box.x + box.width, box.y + box.height)).resize((24, 24), 2)
    np.testing.assert_array_equal(face.pixels, np.asarray(crop))


def test_boxes_of_a_large_picture_are_in_its_own_pixels() -> None:
    picture = photo(found_faces()[0])
    (face,) = faces.find(picture.resize((picture.width * 6, picture.height * 6)), "haar", (24, 24, 1))
    assert face.box is not None
    assert face.box.x == pytest.approx(6 * faces.find(picture, "haar", (24, 24, 1))[0].box[0], abs=60)


def test_a_picture_without_a_face_gives_nothing() -> None:
    assert faces.find(flat(100, (300, 400)), "haar", (24, 24, 1)) == []
    assert faces.find(flat(100, (5, 900)), "haar", (24, 24, 1)) == []


def test_none_takes_every_picture_whole_and_so_does_haar_for_one_no_larger_than_the_input() -> None:
    (whole,) = faces.find(photo(found_faces()[0]), "none", (24, 30, 1))
    assert (whole.box, whole.pixels.shape) == (None, (24, 30, 1))
    (crop,) = faces.find(flat(7, (24, 24)), "haar", (24, 24, 3))
    assert (crop.box, crop.pixels.tolist()) == (None, np.full((24, 24, 3), 7).tolist())


def test_a_box_names_its_corner_and_its_size() -> None:
    assert Box(1, 2, 3, 4)._asdict() == {"x": 1, "y": 2, "width": 3, "height": 4}
