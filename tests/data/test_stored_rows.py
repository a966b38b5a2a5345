"""Images on disk stand for an array, and are read as asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_exp.data import stored_rows
from fer_exp.data.stored_rows import MadeRows, Rows, StoredRows

RNG = np.random.default_rng(0)
ARRAY = RNG.integers(0, 256, (10, 3, 4, 1), np.uint8)


def on_disk(folder: Path) -> np.ndarray:
    np.save(folder / "images.npy", ARRAY)
    return np.load(folder / "images.npy", mmap_mode="r")


def test_rows_on_disk_are_indexed_like_the_array_they_stand_for(tmp_path: Path) -> None:
    rows = StoredRows(on_disk(tmp_path))
    assert rows.shape == ARRAY.shape
    assert len(rows) == 10
    for key in (3, slice(2, 7), np.array([9, 0, 0]), np.arange(10) % 2 == 0, slice(None)):
        np.testing.assert_array_equal(rows[key], ARRAY[key])


def test_a_choice_of_a_choice_counts_in_the_first_one(tmp_path: Path) -> None:
    chosen = StoredRows(on_disk(tmp_path)).take(np.array([8, 2, 5])).take(slice(1, None))
    np.testing.assert_array_equal(chosen[:], ARRAY[[2, 5]])


def test_chunks_are_all_images_in_order() -> None:
    parts = list(stored_rows.chunks(ARRAY, 4))
    assert [len(part) for part in parts] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(parts), ARRAY)


def test_rows_of_one_file_put_together_stay_on_disk(tmp_path: Path) -> None:
    rows = StoredRows(on_disk(tmp_path))
    both = stored_rows.concatenate([rows.take(np.array([7])), rows.take(np.array([1, 2]))])
    assert isinstance(both, StoredRows)
    np.testing.assert_array_equal(both[:], ARRAY[[7, 1, 2]])


def test_rows_of_several_files_put_together_are_indexed_like_one_array(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = StoredRows(on_disk(tmp_path)), StoredRows(on_disk(tmp_path / "other"))
    parts = [first.take(np.array([7, 2])), 255 - ARRAY[:3], second, first.take(np.array([5]))]
    both = stored_rows.concatenate(parts)
    expected = np.concatenate([ARRAY[[7, 2]], 255 - ARRAY[:3], ARRAY, ARRAY[[5]]])
    assert isinstance(both, StoredRows)
    assert both.shape == expected.shape
    for key in (3, -1, slice(1, 14), np.array([15, 0, 0, 4, 2]), np.arange(16) % 3 == 0, np.array([], np.int64)):
        np.testing.assert_array_equal(both[key], expected[key])
    np.testing.assert_array_equal(both.take(np.array([15, 3]))[:], expected[[15, 3]])


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    class Watched(np.ndarray):
        read = 0

        def __getitem__(self, key: object) -> np.ndarray:
            Watched.read += 1
            return super().__getitem__(key)

    rows = StoredRows(ARRAY.view(Watched))
    both = stored_rows.concatenate([stored_rows.take(rows, np.array([3, 1])), rows, ARRAY])
    assert stored_rows.outline(both).shape == (22, 3, 4, 1)
    assert Watched.read == 0
    assert len(both[:2]) == 2
    assert Watched.read == 1


def test_images_of_another_size_are_not_put_together() -> None:
    with pytest.raises(ValueError, match=r"must hold rows of one size and type"):
        StoredRows([ARRAY, ARRAY[:, :2]])


def test_an_outline_has_shape_and_type_and_takes_no_memory() -> None:
    outline = stored_rows.outline(StoredRows(ARRAY))
    assert (outline.shape, outline.dtype, outline.nbytes) == (ARRAY.shape, ARRAY.dtype, ARRAY.nbytes)
    assert outline.base is not None
    assert outline.base.nbytes == 1


def test_chunks_hold_16_mib_unless_told_otherwise() -> None:
    wide = stored_rows.outline(StoredRows(np.zeros((1, 1024, 1024, 3), np.uint8))).repeat(12, axis=0)
    assert [len(part) for part in stored_rows.chunks(wide)] == [5, 5, 2]
    assert [len(part) for part in stored_rows.chunks(np.zeros((2, 3000, 3000, 1), np.uint8))] == [1, 1]


def made(of: Rows = ARRAY) -> MadeRows:
    """The mean of each row of images, doubled, of two values."""
    return MadeRows(of, lambda rows: np.repeat(2 * rows.mean((1, 2)), 2, axis=1), (2,), np.dtype(np.float64))


@pytest.mark.parametrize(
    "key", [3, -1, np.int64(2), slice(2, 7), np.array([9, 0, 0]), np.arange(10) % 2 == 0, slice(0)]
)
def test_rows_that_are_made_are_indexed_like_the_array_they_stand_for(key: Any) -> None:
    expected = np.repeat(2 * ARRAY.mean((1, 2)), 2, axis=1)
    for rows in (made(), made(StoredRows(ARRAY)), made().take(slice(None))):
        assert (rows.shape, len(rows), rows.dtype) == ((10, 2), 10, np.float64)
        np.testing.assert_array_equal(rows[key], expected[key])
    np.testing.assert_array_equal(made().take(np.array([8, 2, 5])).take(slice(1, None))[:], expected[[2, 5]])


def test_rows_are_made_when_they_are_asked_for_and_no_more_of_them() -> None:
    asked: list[int] = []

    def make(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return rows[:, 0]

    rows = MadeRows(StoredRows(ARRAY), make, (4, 1), np.dtype(np.uint8)).take(slice(0, 7))
    assert stored_rows.outline(rows).shape == (7, 4, 1)
    assert asked == []
    assert [len(part) for part in stored_rows.chunks(rows, 3)] == [3, 3, 1]
    assert asked == [3, 3, 1]


@pytest.mark.parametrize("other", [np.zeros((3, 2)), StoredRows(np.zeros((3, 2))), made()])
def test_rows_that_are_made_are_put_together_with_others(other: Rows) -> None:
    both = stored_rows.concatenate([made(), other, made()])
    np.testing.assert_array_equal(both[:], np.concatenate([made()[:], other[:], made()[:]]))
