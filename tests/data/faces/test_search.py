"""Eyes are found where they are, one in each half of a face, and not where there are none."""

import pytest
from drawn_faces import SIDE, flat, found_faces, photo

from fer_exp.data.faces import search


def test_the_eyes_of_a_face_are_level_and_in_its_two_halves() -> None:
    picture = photo(found_faces()[0])
    (box,) = search.boxes(picture)
    eyes = search.eyes(picture, box)
    assert eyes is not None
    middle = box.x + box.width / 2
    assert box.x < eyes.left[0] < middle < eyes.right[0] < box.x + box.width
    assert eyes.left[1] == pytest.approx(eyes.right[1], abs=0.06 * SIDE)
    assert box.y < eyes.left[1] < box.y + 0.6 * box.height


def test_an_even_picture_has_no_eyes() -> None:
    assert search.eyes(flat(100, (300, 300)), search.Box(50, 50, 200, 200)) is None


def test_a_face_with_one_eye_covered_has_none() -> None:
    picture = photo(found_faces()[0])
    (box,) = search.boxes(picture)
    picture.paste((128, 128, 128), (box.x + box.width // 2, box.y, box.x + box.width, box.y + box.height // 2))
    assert search.eyes(picture, box) is None
