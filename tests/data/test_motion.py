"""How an expression comes and goes over a clip."""

import numpy as np

from fer_exp.data import motion

FRAMES = 40


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_whole_course_begins_and_ends_at_rest_and_reaches_the_apex() -> None:
    strength = motion.course(50, FRAMES, rng())
    assert strength.shape == (50, FRAMES)
    assert np.all((strength >= 0) & (strength <= 1 + 1e-9))
    np.testing.assert_allclose(strength[:, 0], 0, atol=0.05)
    assert np.all(strength.max(axis=1) > 0.9)
    assert strength[:, -1].mean() < 0.1
    rising = strength.argmax(axis=1)
    falling = FRAMES - np.array([row[::-1].argmax() for row in strength])
    assert (FRAMES - falling).mean() > rising.mean() / 2  # both sides have room


def test_what_goes_is_what_comes_backwards() -> None:
    comes = motion.half(np.ones(30, bool), FRAMES, rng())
    goes = motion.half(np.zeros(30, bool), FRAMES, rng())
    np.testing.assert_array_equal(goes, comes[:, ::-1])
    assert np.all(np.diff(comes, axis=1) >= 0)
    np.testing.assert_allclose(np.sort(goes, axis=1), np.sort(comes, axis=1))  # the frames alone do not tell
