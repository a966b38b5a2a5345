"""Videos become clips, as long and as fast as a model takes them, each of one face cut out by one box."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import flat, found_faces, photo
from made_videos import with_lengths, write_video
from PIL import Image

from fer_exp.data.faces.search import Box
from fer_exp.data.inputs import Spec
from fer_exp.predict import clips, faces, sources
from fer_exp.predict.clips import Frame
from fer_exp.predict.sources import Failure, Item

SHAPE = (4, 24, 24, 1)


def taken(path: Path, frames: int = 4, rate: float | None = None, every: int | None = None) -> list[Item | Failure]:
    (source,), _ = sources.find([str(path)])
    told: list[int] = []
    found = list(clips.items(source, Spec("clip", "clip", (frames, 24, 24, 1), rate), every, told.append))
    assert sum(told) == sum(isinstance(item, Item) for item in found)
    return found


def numbers(item: Item | Failure) -> list[int]:
    """Returns which frames of a video of `made_videos` a clip holds: each is lighter than the one before by 20."""
    assert isinstance(item, Item)
    return [round(np.asarray(frame.image).mean() / 20) for frame in item.load()]


def reason(found: Sequence[Item | Failure]) -> str:
    (failure,) = found
    assert isinstance(failure, Failure)
    return failure.reason


def test_clips_begin_half_a_clip_apart_or_as_asked_for_and_are_named_by_their_last_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4")
    found = taken(path)
    assert [item.index for item in found if isinstance(item, Item)] == [3, 5, 7, 9]
    assert [item.seconds for item in found if isinstance(item, Item)] == pytest.approx([0.3, 0.5, 0.7, 0.9])
    assert [numbers(item) for item in found] == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9]]
    assert [numbers(item) for item in taken(path, every=5)] == [[0, 1, 2, 3], [5, 6, 7, 8]]
    assert [numbers(item) for item in taken(path, frames=1, every=6)] == [[0], [6]]


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (10.0, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (5.0, [[0, 2, 4, 6]]),
        (20.0, [[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5], [6, 6, 7, 7], [8, 8, 9, 9]]),
    ],
)
def test_frames_are_as_many_a_second_as_the_model_has_learned_from(
    rate: float, expected: list[list[int]], tmp_path: Path
) -> None:
    path = write_video(tmp_path / "film.mp4")
    assert [numbers(item) for item in taken(path, rate=rate, every=4)] == expected


def test_a_frame_that_is_shown_for_long_is_repeated_meanwhile(tmp_path: Path) -> None:
    path = with_lengths(write_video(tmp_path / "film.mp4", frames=5), [1, 1, 7, 3, 1])
    first, *_ = taken(path, frames=5, rate=10, every=1)
    assert numbers(first) == [0, 1, 2, 2, 2]  # 0 to 0.4 seconds; the fourth frame is shown from 0.9 on


def test_a_video_that_is_too_short_or_damaged_is_told(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4")
    assert reason(taken(path, frames=11)) == "it is shorter than a clip as the model takes it: 11 frames"
    assert reason(taken(path, frames=6, rate=5)) == (
        "it is shorter than a clip as the model takes it: 6 frames, 1.2 seconds"
    )
    path.write_bytes(b"no video at all")
    assert reason(taken(path)) == "it is no video that can be read."


def test_a_picture_and_a_table_are_no_clips(tmp_path: Path) -> None:
    for name in ("a.png", "a.csv"):
        (tmp_path / name).touch()
        assert reason(taken(tmp_path / name)) == "it is no video, and the model takes clips of 4 frames"


def frames_of(*pictures: Image.Image) -> list[Frame]:
    return [Frame(np.asarray(picture.convert("RGB"))) for picture in pictures]


def test_the_face_is_cut_out_of_all_frames_by_one_box() -> None:
    picture = photo(found_faces()[0])
    (one,) = faces.find(picture, "haar", SHAPE[1:])
    empty = flat(128, (picture.height, picture.width))
    (face,) = clips.look(frames_of(picture, picture, empty, picture), "haar", SHAPE)
    assert face.box == one.box
    assert (face.pixels.shape, face.pixels.dtype) == (SHAPE, np.uint8)
    for number, pixels in enumerate(face.pixels):
        expected = np.full(SHAPE[1:], 128) if number == 2 else one.pixels
        np.testing.assert_array_equal(pixels, expected)
    assert clips.look(frames_of(picture, empty, empty, empty), "haar", SHAPE) == []


def test_the_box_is_the_one_in_the_middle_of_those_of_the_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([[Box(10, 40, 20, 30), Box(0, 0, 9, 9)], [Box(14, 44, 24, 34)], [], [Box(200, 12, 90, 8)]])
    monkeypatch.setattr(clips.search, "boxes", lambda image: next(found))
    (face,) = clips.look(frames_of(*[flat(5, (300, 400))] * 4), "haar", SHAPE)
    assert face.box == Box(14, 40, 24, 30)


def test_frames_are_taken_whole_if_they_are_faces_already() -> None:
    for frames, how in ((frames_of(*[flat(7, (60, 90))] * 4), "none"), (frames_of(*[flat(7, (20, 24))] * 4), "haar")):
        (face,) = clips.look(frames, how, SHAPE)  # type: ignore[arg-type]
        assert (face.box, face.pixels.tolist()) == (None, np.full(SHAPE, 7).tolist())
