"""Files, folders, tables and videos become items; what is damaged becomes a sentence."""

import gzip
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_faces import flat
from made_videos import cut, with_lengths, write_video

from fer_exp.errors import ConfigError, DataError
from fer_exp.predict import sources, videos
from fer_exp.predict.sources import Failure, Item, Source, find, items


def taken(path: Path, every: int = 1) -> list[Item | Failure]:
    (source,), _ = find([str(path)])
    return list(items(source, every, lambda count: None))


def test_a_folder_is_searched_whole_and_what_is_left_out_is_noted(tmp_path: Path) -> None:
    for name in ("b.PNG", "sub/a.jpg", "sub/.hidden.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path)
    found, notes = find([str(tmp_path), str(tmp_path / "b.PNG")])
    assert [str(source.inside) for source in found] == ["b.PNG", "sub/a.jpg"]
    assert notes == [f"{tmp_path}: left out are 1 .txt (no pictures)"]


def test_every_input_that_is_missing_or_empty_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").touch()
    with pytest.raises(ConfigError) as caught:
        find([str(tmp_path / name) for name in ("empty", "texts", "nothing.png")])
    empty, texts, missing = caught.value.problems
    assert empty.startswith(
        "`inputs` must hold something to predict, pictures (.jpg, .jpeg, .png ...) or videos (.mp4,"
    )
    assert empty.endswith(f"Received: {tmp_path / 'empty'}, but it is empty.")
    assert texts.endswith("but it holds 1 .txt (no pictures).")
    assert missing == f"`inputs` must exist. Received: {tmp_path / 'nothing.png'}."


@pytest.mark.parametrize("header", ["emotion,pixels,Usage", "pixels", " Usage, pixels"])
def test_a_table_needs_pixels_alone_and_names_its_bad_rows(tmp_path: Path, header: str) -> None:
    columns = [name.strip() for name in header.split(",")]

    def line(pixels: str) -> str:
        return ",".join({"emotion": "9", "pixels": pixels, "Usage": "??"}[name] for name in columns)

    path = tmp_path / "faces.csv.gz"
    good = [line(" ".join([str(value)] * 2304)) for value in (5, 200)]
    path.write_bytes(gzip.compress("\n".join([header, good[0], line("1 2 3"), good[1]]).encode()))
    first, second, failure = taken(path)
    assert isinstance(first, Item)
    assert isinstance(second, Item)
    assert [(item.index, item.load().getpixel((3, 3))) for item in (first, second)] == [(0, 5), (2, 200)]
    assert failure == Failure(f"{path}, line 3", "it does not hold 2304 pixels, whole numbers from 0 to 255")


def test_a_folder_says_by_kind_what_is_left_out_and_why(tmp_path: Path) -> None:
    for name in ("a.jfif", "b.tiff", "c.HEIC", "d.heic", "e.csv", "f.svg", "g.txt", "h", "Thumbs.db", "i.wmv"):
        (tmp_path / name).touch()
    found, notes = find([str(tmp_path)])
    assert [source.path.name for source in found] == ["a.jfif", "b.tiff", "i.wmv"]
    assert notes == [
        f"{tmp_path}: left out are 1 .svg (convert them to PNG or JPEG), 2 .heic (install pillow-heif to read them), "
        "1 .txt, 1 without an ending (no pictures), 1 .csv (read only if named themselves)"
    ]


def test_a_table_without_pixels_is_told(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    (failure,) = taken(path)
    assert isinstance(failure, Failure)
    assert "has no column emotion and no column pixels" in failure.reason


def test_each_so_manieth_frame_of_a_video_is_taken_with_its_time(tmp_path: Path) -> None:
    taken_frames = taken(write_video(tmp_path / "film.mp4", rate=5), every=4)
    assert [(item.index, item.seconds) for item in taken_frames if isinstance(item, Item)] == [
        (0, 0),
        (4, 0.8),
        (8, 1.6),
    ]
    brightness = [np.asarray(item.load()).mean() for item in taken_frames if isinstance(item, Item)]
    assert brightness == pytest.approx([0, 80, 160], abs=6)


def seconds(path: Path, every: int = 1) -> list[float | None]:
    return [item.seconds for item in taken(path, every) if isinstance(item, Item)]


def test_frames_of_unequal_length_have_the_times_of_the_file(tmp_path: Path) -> None:
    path = with_lengths(write_video(tmp_path / "film.mp4", frames=5), [1, 1, 7, 3, 1])
    assert seconds(path) == pytest.approx([0, 0.1, 0.2, 0.9, 1.2])
    assert seconds(path, every=3) == pytest.approx([0, 0.9])


@pytest.mark.parametrize(("codec", "ending"), [("MJPG", "avi"), ("mp4v", "mkv"), ("mpeg", "mpg")])
def test_videos_of_other_kinds_have_times_too_also_where_a_frame_has_none(
    codec: str, ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"film.{ending}"
    video = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 25, (64, 48))
    for index in range(8):
        video.write(np.full((48, 64, 3), 20 * index, np.uint8))
    video.release()
    assert seconds(path) == pytest.approx([index / 25 for index in range(8)])


def test_a_video_that_an_edit_list_cuts_is_not_damaged(tmp_path: Path) -> None:
    path = cut(write_video(tmp_path / "film.mp4", frames=40), first=10, count=12)
    found = taken(path)
    assert not [item for item in found if isinstance(item, Failure)]
    assert [item.index for item in found if isinstance(item, Item)] == list(range(12))
    assert seconds(path) == pytest.approx([index / 10 for index in range(12)])
    first = np.asarray(found[0].load()).mean() if isinstance(found[0], Item) else 0
    assert first == pytest.approx(200, abs=6)  # the tenth frame, and not the first


def test_a_video_that_is_cut_and_damaged_is_told(tmp_path: Path) -> None:
    path = cut(write_video(tmp_path / "film.mp4", frames=40), first=0, count=20)
    content = path.read_bytes()
    first = content.index(b"mdat") + 4
    at = first + (content.index(b"moov") - first) // 8
    path.write_bytes(content[:at] + bytes(content.index(b"moov") - 4 - at) + content[content.index(b"moov") - 4 :])
    *_, last = taken(path)
    assert isinstance(last, Failure)
    assert "is truncated or damaged" in last.reason


def test_a_video_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"no video at all")
    assert taken(path) == [Failure(str(path), "it is no video that can be read.")]
    whole = write_video(tmp_path / "whole.avi.mp4").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert isinstance(taken(path)[-1], Failure)


@pytest.mark.parametrize("step", ["grab", "retrieve"])
def test_what_the_decoder_of_a_video_raises_is_one_named_video(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "film.mp4")

    class Failing:
        def __init__(self, *arguments: object) -> None:
            self._video = opened(*arguments)

        def __getattr__(self, name: str) -> object:
            if name == step:
                raise cv2.error("assertion failed\n in a codec")
            return getattr(self._video, name)

    opened = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", Failing)
    assert taken(path) == [Failure(str(path), "it is damaged: assertion failed in a codec.")]


def test_a_video_fetches_nothing_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(DataError, match="is no video that can be read"):
        list(videos.frames(path, 1))


def test_an_image_is_decoded_only_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"nothing")
    (item,) = taken(path)
    assert isinstance(item, Item)
    flat(9).save(path)
    assert item.load().getpixel((0, 0)) == (9, 9, 9)
    assert item.source == Source(path, str(path), "image", Path("a.png"))


def test_a_device_and_a_pipe_are_no_inputs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ConfigError) as caught:
        sources.find(["/dev/zero", str(tmp_path / "pipe.png"), "nowhere.png"])
    assert [problem.split(". Received")[0] for problem in caught.value.problems] == [
        "`inputs` must be files or folders, not devices or pipes",
        "`inputs` must be files or folders, not devices or pipes",
        "`inputs` must exist",
    ]
