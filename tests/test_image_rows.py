"""Images on disk stand for an array, and are read as asked for."""

from pathlib import Path

import numpy as np

from fer_exp import image_rows
from fer_exp.image_rows import ImageRows

RNG = np.random.default_rng(0)
ARRAY = RNG.integers(0, 256, (10, 3, 4, 1), np.uint8)


def on_disk(folder: Path) -> np.ndarray:
    np.save(folder / "images.npy", ARRAY)
    return np.load(folder / "images.npy", mmap_mode="r")


def test_rows_on_disk_are_indexed_like_the_array_they_stand_for(tmp_path: Path) -> None:
    rows = ImageRows(on_disk(tmp_path))
    assert rows.shape == ARRAY.shape
    assert len(rows) == 10
    for key in (3, slice(2, 7), np.array([9, 0, 0]), np.arange(10) % 2 == 0, slice(None)):
        np.testing.assert_array_equal(rows[key], ARRAY[key])


def test_a_choice_of_a_choice_counts_in_the_first_one(tmp_path: Path) -> None:
    chosen = ImageRows(on_disk(tmp_path)).take(np.array([8, 2, 5])).take(slice(1, None))
    np.testing.assert_array_equal(chosen[:], ARRAY[[2, 5]])


def test_chunks_are_all_images_in_order() -> None:
    parts = list(image_rows.chunks(ARRAY, 4))
    assert [len(part) for part in parts] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(parts), ARRAY)


def test_rows_of_one_file_put_together_stay_on_disk(tmp_path: Path) -> None:
    rows = ImageRows(on_disk(tmp_path))
    both = image_rows.concatenate([rows.take(np.array([7])), rows.take(np.array([1, 2]))])
    assert isinstance(both, ImageRows)
    np.testing.assert_array_equal(both[:], ARRAY[[7, 1, 2]])
