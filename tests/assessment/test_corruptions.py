"""Every corruption keeps shape and type, is the same for the same seed, and does more harm the more severe it is."""

import numpy as np
import pytest

from fer_exp.assessment.corruptions import CORRUPTIONS, SEVERITIES

ROWS, COLUMNS = np.mgrid[0:48, 0:40]
FACE = 40 + 160 * np.exp(
    -(((ROWS - 20) / 14) ** 2) - ((COLUMNS - 22) / 5) ** 2
)  # a long bright spot, not in the centre
TEXTURE = np.random.default_rng(0).normal(0, 6, (6, 48, 40))
IMAGES = np.clip(FACE + TEXTURE, 0, 255).astype(np.uint8)[..., None]


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_it_keeps_what_images_are_and_grows_with_severity(name: str, channels: int) -> None:
    images = np.repeat(IMAGES, channels, axis=3)
    before = images.copy()
    damage = []
    for severity in range(SEVERITIES + 1):
        changed = CORRUPTIONS[name](images, severity, 0)
        assert (changed.shape, changed.dtype) == (images.shape, np.uint8)
        np.testing.assert_array_equal(changed, CORRUPTIONS[name](images, severity, 0))
        damage.append(np.abs(changed.astype(int) - images).mean())
    assert (images == before).all()
    assert damage[0] == 0
    assert (np.diff(damage) > 0).all(), damage


@pytest.mark.parametrize("name", ["noise", "occlusion", "rotation"])
def test_what_is_random_follows_from_the_seed(name: str) -> None:
    assert (CORRUPTIONS[name](IMAGES, 3, 0) != CORRUPTIONS[name](IMAGES, 3, 1)).any()


def test_light_and_contrast_change_by_what_is_told() -> None:
    even = np.full((1, 8, 8, 1), 100, np.uint8)
    assert CORRUPTIONS["brightness"](even, 2, 0).ravel()[0] == 151  # 0.2 of 255 more
    assert CORRUPTIONS["darkness"](even, 2, 0).ravel()[0] == 50
    half = np.concatenate([even, even + 100], axis=2)  # 100 and 200, 150 on average
    assert np.unique(CORRUPTIONS["contrast"](half, 2, 0)).tolist() == [125, 175]


def test_an_occlusion_hides_its_share_in_one_square() -> None:
    white = np.full((5, 40, 40, 1), 255, np.uint8)
    changed = CORRUPTIONS["occlusion"](white, 2, 0)
    assert (changed == 0).sum(axis=(1, 2, 3)).tolist() == [13 * 13] * 5  # the nearest to a tenth of 1,600
    assert len({tuple(np.argwhere(image[..., 0] == 0)[0]) for image in changed}) > 1


def test_a_rotation_turns_half_of_the_images_each_way() -> None:
    marked = np.zeros((4, 41, 41, 1), np.uint8)
    marked[:, 0:8, 18:23] = 255  # at twelve o'clock
    columns = [np.argwhere(image[..., 0] > 100)[:, 1].mean() for image in CORRUPTIONS["rotation"](marked, 5, 0)]
    assert sorted(column > 20 for column in columns) == [False, False, True, True]
