"""A person sees an image as it is, a clip as a strip, a sound as its spectrogram, several inputs below one another."""

import numpy as np
import pytest

from fer_exp.data import shown
from fer_exp.data.inputs import Spec, image
from fer_exp.data.stored_rows import Rows, StoredRows

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 5, 6, 1), np.uint8)
RATE = 8000


def of_clips(clips: Rows) -> Rows:
    return shown.pictures({"clip": clips}, {"clip": Spec("clip", "clip", tuple(clips.shape[1:]))})


def of_sounds(sounds: np.ndarray) -> np.ndarray:
    spec = Spec("voice", "sound", sounds.shape[1:])
    return shown.pictures({"voice": sounds}, {"voice": spec})[:]


def sine(hertz: float, size: float = 1.0, samples: int = RATE) -> np.ndarray:
    return (size * np.sin(2 * np.pi * hertz * np.arange(samples) / RATE)).astype(np.float32)


@pytest.mark.parametrize("images", [IMAGES, StoredRows(IMAGES)])
def test_an_image_is_shown_as_it_is(images: Rows) -> None:
    assert shown.pictures({"image": images}, image((5, 6, 1))) is images


@pytest.mark.parametrize(("frames", "drawn"), [(1, [0]), (3, [0, 1, 2]), (15, [0, 2, 4, 6, 8, 10, 12, 14])])
def test_a_clip_is_a_strip_of_at_most_eight_frames_in_order(frames: int, drawn: list[int]) -> None:
    clips = RNG.integers(0, 256, (4, frames, 5, 6, 3), np.uint8)
    expected = np.concatenate([clips[:, frame] for frame in drawn], axis=2)
    for found in (of_clips(clips), of_clips(StoredRows(clips))):
        assert (found.shape, found.dtype) == (expected.shape, np.uint8)
        np.testing.assert_array_equal(found[:], expected)
        np.testing.assert_array_equal(found[2], expected[2])
        np.testing.assert_array_equal(found.take(np.array([3, 1]))[:], expected[[3, 1]])


def test_a_higher_sound_lights_up_a_higher_row_and_a_louder_one_more() -> None:
    pictures = of_sounds(np.stack([sine(hertz) for hertz in (250, 1000, 2000, 3500)]))[..., 0]
    assert pictures.dtype == np.uint8
    rows = pictures.argmax(axis=1)  # of the brightest in each column
    assert (np.ptp(rows, axis=1) == 0).all()  # of a tone that lasts it is the same one
    assert (np.diff(rows[:, 0]) < 0).all()
    height = pictures.shape[1]
    np.testing.assert_allclose(rows[:, 0] / (height - 1), 1 - np.array([250, 1000, 2000, 3500]) / 4000, atol=0.02)
    loud, quiet, silent = (int(of_sounds(sine(1000, size)[None]).max()) for size in (1.0, 0.01, 0.0))
    assert loud > 230
    assert loud - quiet == pytest.approx(255 / 2, abs=1)  # 40 of 80 dB
    assert silent == 0


def test_a_sound_is_shown_from_left_to_right() -> None:
    half = RATE // 2
    (picture,) = of_sounds(np.concatenate([np.zeros(half, np.float32), sine(1000, samples=half)])[None])
    width = picture.shape[1]
    assert picture[:, : width // 2 - 2].max() == 0
    assert (picture[:, width // 2 + 2 :].max(axis=0) > 230).all()


@pytest.mark.parametrize("samples", [1, 2, 100, 257])
def test_a_sound_shorter_than_a_spectrogram_is_shown_too(samples: int) -> None:
    pictures = of_sounds(np.stack([sine(1000, samples=samples), np.zeros(samples, np.float32)]))
    assert (len(pictures), pictures.shape[3], pictures.dtype) == (2, 1, np.uint8)
    assert min(pictures.shape) > 0
    assert pictures[1].max() == 0


def test_several_inputs_are_shown_one_below_the_other() -> None:
    clips = RNG.integers(0, 256, (3, 2, 4, 4, 3), np.uint8)
    sounds = np.stack([sine(hertz) for hertz in (500, 1000, 2000)])
    specs = {**image((5, 6, 1)), "face": Spec("face", "clip", (2, 4, 4, 3)), "voice": Spec("voice", "sound", (RATE,))}
    found = shown.pictures({"image": IMAGES, "face": clips, "voice": sounds}, specs)
    strips, spectrograms = of_clips(clips)[:], of_sounds(sounds)
    height, width = spectrograms.shape[1:3]
    assert found.shape == (3, 5 + 4 + height, width, 3)
    for pictures in (found[:], found.take(np.array([2, 0, 1]))[np.array([1, 2, 0])]):
        np.testing.assert_array_equal(pictures[:, :5, :6], np.repeat(IMAGES, 3, axis=3))
        np.testing.assert_array_equal(pictures[:, 5:9, :8], strips)
        np.testing.assert_array_equal(pictures[:, 9:], np.repeat(spectrograms, 3, axis=3))
        assert not pictures[:, :5, 6:].any()
        assert not pictures[:, 5:9, 8:].any()
    np.testing.assert_array_equal(found[1], found[:][1])
