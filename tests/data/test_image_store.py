"""The store of images: whole or not there, resumed, in memory or on disk, and what happens where neither goes."""

import json
import logging
import os
import shutil
import time
from collections import namedtuple
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from fer_exp.data import image_store
from fer_exp.data.image_store import Stored, load_or_build
from fer_exp.data.stored_rows import StoredRows
from fer_exp.errors import StorageError

SHAPE = (10, 4, 4, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
KEY = "images-abc"
Parts = list[tuple[int, int]]


@pytest.fixture(autouse=True)
def _chunks_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_store, "_CHUNK_BYTES", 3 * 16 + 1)


@pytest.fixture
def parts() -> Parts:
    return []


@pytest.fixture
def build(parts: Parts) -> Callable[[range], Any]:
    """Copies the images and notes which were asked for; row 4 is left out."""

    def made(rows: range) -> tuple[np.ndarray, dict[int, str]]:
        parts.append((rows.start, rows.stop))
        return IMAGES[rows.start : rows.stop], {row: "it is bad" for row in rows if row == 4}

    return made


def never(rows: range) -> Any:
    raise AssertionError(f"made again: {rows}")


def assert_whole(stored: Stored) -> None:
    np.testing.assert_array_equal(stored.images[:], IMAGES)
    assert stored.left_out == {4: "it is bad"}
    assert stored.problem is None


def test_images_are_made_chunk_by_chunk_once(tmp_path: Path, build: Any, parts: Parts) -> None:
    assert_whole(load_or_build(str(tmp_path), KEY, SHAPE, build))
    assert parts == [(0, 3), (3, 6), (6, 9), (9, 10)]
    assert_whole(load_or_build(str(tmp_path), KEY, SHAPE, never))


def test_an_entry_is_an_array_that_numpy_reads_without_pickle(tmp_path: Path, build: Any) -> None:
    folder = load_or_build(str(tmp_path), KEY, SHAPE, build).folder
    assert folder == tmp_path / KEY
    np.testing.assert_array_equal(np.load(folder / "images.npy", allow_pickle=False), IMAGES)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_few_images_are_read_into_memory_and_many_stay_on_disk(
    tmp_path: Path, build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(load_or_build(str(tmp_path), KEY, SHAPE, build).images, np.ndarray)
    monkeypatch.setattr(image_store, "IN_MEMORY_BYTES", IMAGES.nbytes - 1)
    stored = load_or_build(str(tmp_path), KEY, SHAPE, never)
    assert isinstance(stored.images, StoredRows)
    assert_whole(stored)


def free_memory(monkeypatch: pytest.MonkeyPatch, available: int) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: namedtuple("Memory", "available")(available))


@pytest.mark.parametrize(("available", "held"), [(4 * IMAGES.nbytes, True), (4 * IMAGES.nbytes - 1, False)])
def test_images_are_read_into_memory_only_if_four_times_as_much_is_free(
    available: int, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_memory(monkeypatch, available)
    assert image_store.held_in_memory(IMAGES.nbytes) == held


def interrupted(build: Any, at: int) -> Any:
    def made(rows: range) -> Any:
        if rows.start == at:
            raise KeyboardInterrupt
        return build(rows)

    return made


def test_what_was_cut_off_is_no_entry_and_the_next_goes_on_behind_it(
    tmp_path: Path, build: Any, parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_or_build(str(tmp_path), KEY, SHAPE, interrupted(build, 6))
    assert not (tmp_path / KEY).exists()
    parts.clear()
    with caplog.at_level(logging.INFO):
        assert_whole(load_or_build(str(tmp_path), KEY, SHAPE, build))
    assert parts == [(6, 9), (9, 10)]
    assert "6 of 10 images were decoded before: going on from there" in caplog.text


@pytest.mark.parametrize(
    ("damage", "first"), [("torn line", 6), ("torn pixels", 3), ("changed pixel", 3), ("no pixels", 0)]
)
def test_only_sound_chunks_are_gone_on_from(damage: str, first: int, tmp_path: Path, build: Any, parts: Parts) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_or_build(str(tmp_path), KEY, SHAPE, interrupted(build, 6))
    pixels, chunks = (tmp_path / f".{KEY}.part" / name for name in ("images.npy", "chunks.jsonl"))
    data = bytearray(pixels.read_bytes())
    if damage == "torn line":
        chunks.write_text(chunks.read_text() + '{"stop": 9, "cr')
    elif damage == "no pixels":
        pixels.unlink()
    else:
        data[-1] ^= 0xFF
        pixels.write_bytes(data if damage == "changed pixel" else data[:-1])
    parts.clear()
    assert_whole(load_or_build(str(tmp_path), KEY, SHAPE, build))
    assert parts[0][0] == first


def test_two_at_once_make_the_images_once(tmp_path: Path, build: Any, parts: Parts) -> None:
    def slowly(rows: range) -> Any:
        time.sleep(0.05)
        return build(rows)

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(load_or_build, str(tmp_path), KEY, SHAPE, slowly) for _ in range(2)]
    for one in both:
        assert_whole(one.result())
    assert len(parts) == 4


@pytest.mark.parametrize("damage", ["changed byte", "truncated", "no chunks", "fewer chunks", "text", "objects"])
def test_a_damaged_entry_is_reported_and_made_anew(
    damage: str, tmp_path: Path, build: Any, caplog: pytest.LogCaptureFixture
) -> None:
    folder = load_or_build(str(tmp_path), KEY, SHAPE, build).folder
    assert folder is not None
    pixels, chunks = folder / "images.npy", folder / "chunks.jsonl"
    data = bytearray(pixels.read_bytes())
    data[-1] ^= 0xFF
    if damage == "no chunks":
        chunks.unlink()
    elif damage == "fewer chunks":
        chunks.write_text("".join(chunks.read_text().splitlines(keepends=True)[:-1]))
    elif damage == "objects":
        np.save(pixels, np.array([{}], dtype=object))
    else:
        pixels.write_bytes({"changed byte": bytes(data), "truncated": bytes(data[:-3]), "text": b"no array"}[damage])
    with caplog.at_level(logging.WARNING):
        assert_whole(load_or_build(str(tmp_path), KEY, SHAPE, build))
    assert "is unusable and will be rebuilt" in caplog.text
    assert_whole(load_or_build(str(tmp_path), KEY, SHAPE, never))


def test_an_error_of_the_maker_keeps_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="made again"):
        load_or_build(str(tmp_path), KEY, SHAPE, never)
    assert [path.name for path in tmp_path.iterdir()] == [f".{KEY}.lock"]


def test_a_cache_that_cannot_be_written_costs_time_only_if_memory_holds_the_images(
    tmp_path: Path, build: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        stored = load_or_build(str(tmp_path / "file" / "cache"), KEY, SHAPE, build)
    np.testing.assert_array_equal(stored.images, IMAGES)
    assert stored.problem == f"not cached: {tmp_path / 'file' / 'cache'} cannot be written (Not a directory)"
    assert "Every start will read it anew" in caplog.text
    free_memory(monkeypatch, 0)
    with pytest.raises(StorageError, match=r"must have room for 0\.0 GB of decoded images, which do not fit into mem"):
        load_or_build(str(tmp_path / "file" / "cache"), KEY, SHAPE, build)


def test_a_disk_with_too_little_room_is_found_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(IMAGES.nbytes - 1))
    free_memory(monkeypatch, 0)
    with pytest.raises(StorageError, match=r"\(0\.0 GB are free of the 0\.0 GB needed\)\. Free space there, or set"):
        load_or_build(str(tmp_path), KEY, SHAPE, never)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_disk_that_fills_up_leaves_nothing_behind(
    tmp_path: Path, build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def full(path: Path, *how: Any, **more: Any) -> Any:
        return real(Path("/dev/full") if path.name == "chunks.jsonl" and how == ("a",) else path, *how, **more)

    monkeypatch.setattr(Path, "open", full)
    stored = load_or_build(str(tmp_path), KEY, SHAPE, build)
    np.testing.assert_array_equal(stored.images, IMAGES)
    assert "No space left on device" in str(stored.problem)
    assert [path.name for path in tmp_path.iterdir()] == [f".{KEY}.lock"]


def test_chunks_carry_their_checksums(tmp_path: Path, build: Any) -> None:
    folder = load_or_build(str(tmp_path), KEY, SHAPE, build).folder
    assert folder is not None
    lines = [json.loads(line) for line in (folder / "chunks.jsonl").read_text().splitlines()]
    assert [line["stop"] for line in lines] == [3, 6, 9, 10]
    assert lines[1]["left_out"] == {"4": "it is bad"}
