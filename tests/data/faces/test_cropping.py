"""A face is cut out square, with its margin, and upright if its eyes are found."""

import math

import numpy as np
import pytest
from drawn_faces import flat, found_faces, photo
from PIL import Image

from fer_exp.data.faces import FaceCrop, cropping, search
from fer_exp.data.faces.cropping import _tilt, cropped
from fer_exp.data.faces.search import Eyes

PLAIN = FaceCrop(0.0, "none")


def test_without_margin_and_alignment_it_is_the_box_itself() -> None:
    picture = photo(found_faces()[0])
    (box,) = search.boxes(picture)
    found = cropped(picture, PLAIN)
    assert found is not None
    assert (found.size, found.mode) == ((box.width, box.width), "RGB")
    expected = picture.crop((box.x, box.y, box.x + box.width, box.y + box.height))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_a_margin_adds_what_is_around_it() -> None:
    picture = photo(found_faces()[0])
    (box,) = search.boxes(picture)
    found = cropped(picture, FaceCrop(0.5, "none"))
    assert found is not None
    assert found.size == (2 * box.width, 2 * box.width)
    assert found.getpixel((0, 0)) == (128, 128, 128)


def test_the_largest_of_several_faces_is_taken() -> None:
    small, large = found_faces()[1].resize((100, 100)), found_faces()[0]
    found = cropped(photo(small, large), PLAIN)
    alone = cropped(photo(large), PLAIN)
    assert found is not None
    assert alone is not None
    assert abs(found.width - alone.width) <= 0.1 * alone.width


def test_what_lies_outside_of_the_photo_repeats_its_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "boxes", lambda _: [search.Box(-10, 0, 40, 40)])
    picture = Image.fromarray(np.tile(np.arange(60, dtype=np.uint8), (60, 1)))
    found = cropped(picture, PLAIN)
    assert found is not None
    assert np.asarray(found)[5].tolist() == [0] * 10 + list(range(30))


@pytest.mark.parametrize("degrees", [-15, 15])
def test_a_tilted_face_is_turned_by_the_line_between_its_eyes(degrees: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bright spots that stand in for eyes end up on one level, the left one left."""
    across, down = 30 * math.cos(math.radians(degrees)), 30 * math.sin(math.radians(degrees))
    eyes = Eyes((100 - across / 2, 90 - down / 2), (100 + across / 2, 90 + down / 2))
    pixels = np.zeros((200, 200), np.uint8)
    for brightness, (x, y) in zip((255, 128), eyes, strict=True):
        pixels[round(y - 0.5) - 1 : round(y - 0.5) + 2, round(x - 0.5) - 1 : round(x - 0.5) + 2] = brightness
    monkeypatch.setattr(search, "boxes", lambda _: [search.Box(60, 60, 80, 80)])
    monkeypatch.setattr(search, "eyes", lambda *_: eyes)
    found = cropped(Image.fromarray(pixels), FaceCrop(0.0, "eyes"))
    turned = np.asarray(found)
    left, right = (np.argwhere(turned[:, half] > 60).mean(axis=0) for half in (slice(0, 40), slice(40, 80)))
    assert abs(left[0] - right[0]) < 1
    assert 40 + right[1] - left[1] == pytest.approx(30, abs=1)
    assert turned[:, :40].max() > turned[:, 40:].max()


@pytest.mark.parametrize(
    ("eyes", "expected"),
    [
        (None, 0),
        (Eyes((0, 0), (40, 0)), 0),
        (Eyes((0, 0), (40, 10)), math.degrees(math.atan2(10, 40))),
        (Eyes((0, 0), (30, 30)), 0),  # too steep
        (Eyes((0, 0), (80, 10)), 0),  # too far apart
        (Eyes((0, 0), (20, 5)), 0),  # too near
    ],
)
def test_only_eyes_that_can_be_a_pair_turn_a_face(eyes: Eyes | None, expected: float) -> None:
    assert _tilt(eyes, 100) == pytest.approx(expected)


def test_a_photo_without_a_face_gives_nothing() -> None:
    assert cropped(flat(100, (300, 400)), PLAIN) is None


def test_the_version_names_what_finds_the_faces() -> None:
    assert cropping.VERSION.startswith("haar ")
