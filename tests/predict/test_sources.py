"""Files, folders, tables and videos become items; what is damaged becomes a sentence."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import flat
from PIL import Image

from fer_exp.errors import ConfigError, DataError
from fer_exp.predict import videos
from fer_exp.predict.sources import Failure, Item, Source, find, items


def taken(path: Path, every: int = 1) -> list[Item | Failure]:
    (source,), _ = find([str(path)])
    return list(items(source, every, lambda count: None))


def write_video(path: Path, frames: int = 10) -> Path:
    writer = videos.Writer(path, 5, (64, 48))
    for index in range(frames):
        writer.add(Image.fromarray(np.full((48, 64, 3), 20 * index, np.uint8)))
    writer.close()
    return path


def test_a_folder_is_searched_whole_and_what_is_left_out_is_noted(tmp_path: Path) -> None:
    for name in ("b.PNG", "sub/a.jpg", "sub/.hidden.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path)
    found, notes = find([str(tmp_path), str(tmp_path / "b.PNG")])
    assert [str(source.inside) for source in found] == ["b.PNG", "sub/a.jpg"]
    assert notes == [f"{tmp_path}: 1 files that are neither images nor videos left out"]


def test_every_input_that_is_missing_or_empty_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").touch()
    with pytest.raises(ConfigError) as caught:
        find([str(tmp_path / name) for name in ("empty", "texts", "nothing.png")])
    empty, texts, missing = caught.value.problems
    assert empty.startswith("`inputs` must hold something to predict (.png, .jpg")
    assert empty.endswith(f"Received: {tmp_path / 'empty'}, but it is empty.")
    assert texts.endswith("but 1 other files.")
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


def test_a_table_without_pixels_is_told(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    (failure,) = taken(path)
    assert isinstance(failure, Failure)
    assert "has no column emotion and no column pixels" in failure.reason


def test_each_so_manieth_frame_of_a_video_is_taken_with_its_time(tmp_path: Path) -> None:
    taken_frames = taken(write_video(tmp_path / "film.mp4"), every=4)
    assert [(item.index, item.seconds) for item in taken_frames if isinstance(item, Item)] == [
        (0, 0),
        (4, 0.8),
        (8, 1.6),
    ]
    brightness = [np.asarray(item.load()).mean() for item in taken_frames if isinstance(item, Item)]
    assert brightness == pytest.approx([0, 80, 160], abs=6)


def test_a_video_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"no video at all")
    assert taken(path) == [Failure(str(path), "it is no video that can be read.")]
    whole = write_video(tmp_path / "whole.avi.mp4").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert isinstance(taken(path)[-1], Failure)


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
