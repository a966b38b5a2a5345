"""The cache on disk: hits, damage, folders that cannot be written."""

import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_exp.data import data_cache

KEY = data_cache.make_key("faces", ["1", "abc"])
ARRAYS = {"images": np.arange(3000, dtype=np.uint8).reshape(10, 300), "empty": np.zeros((0,), np.int64)}


def never() -> dict[str, np.ndarray]:
    raise AssertionError("must not be built again")


def stored(folder: Path) -> Path:
    data_cache.load_or_build(str(folder), KEY, lambda: ARRAYS)
    return folder / f"{KEY}.npz"


def assert_same(arrays: dict[str, np.ndarray]) -> None:
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_the_second_call_loads_what_the_first_built(tmp_path: Path) -> None:
    arrays, problem = data_cache.load_or_build(str(tmp_path / "new" / "folder"), KEY, lambda: ARRAYS)
    assert_same(arrays)
    assert problem is None
    arrays, problem = data_cache.load_or_build(str(tmp_path / "new" / "folder"), KEY, never)
    assert_same(arrays)
    assert problem is None


def test_an_entry_is_an_npz_that_numpy_reads_without_pickle(tmp_path: Path) -> None:
    with np.load(stored(tmp_path), allow_pickle=False) as archive:
        assert_same(dict(archive))


def test_no_temporary_file_is_left_behind(tmp_path: Path) -> None:
    entry = stored(tmp_path)
    assert list(tmp_path.iterdir()) == [entry]


def test_a_tilde_in_the_folder_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    data_cache.load_or_build("~/cache", KEY, lambda: ARRAYS)
    assert (tmp_path / "cache" / f"{KEY}.npz").is_file()


@pytest.mark.parametrize("damage", ["changed byte", "truncated", "emptied", "text", "other key"])
def test_a_damaged_entry_is_reported_and_rebuilt(damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    entry = stored(tmp_path)
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 0xFF
    content = {
        "changed byte": bytes(data),
        "truncated": entry.read_bytes()[:-400],
        "emptied": b"",
        "text": b"emotion,pixels\n",
        "other key": entry.read_bytes().replace(KEY.encode(), KEY.encode()[::-1]),
    }
    entry.write_bytes(content[damage])
    with caplog.at_level(logging.WARNING):
        assert_same(data_cache.load_or_build(str(tmp_path), KEY, lambda: ARRAYS)[0])
    assert "is unusable and will be rebuilt" in caplog.text
    assert_same(data_cache.load_or_build(str(tmp_path), KEY, never)[0])


def test_a_folder_that_cannot_be_made_costs_the_cache_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        arrays, problem = data_cache.load_or_build(str(tmp_path / "file" / "cache"), KEY, lambda: ARRAYS)
    assert_same(arrays)
    assert problem is not None
    assert "not cached" in problem
    assert "Every start will read it anew" in caplog.text


def test_a_full_disk_costs_the_cache_only_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    arrays, problem = data_cache.load_or_build(str(tmp_path), KEY, lambda: ARRAYS)
    assert_same(arrays)
    assert problem is not None
    assert "No space left on device" in problem
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_builder_stores_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="built again"):
        data_cache.load_or_build(str(tmp_path), KEY, never)
    assert list(tmp_path.iterdir()) == []


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    objects = {"names": np.array([{"a": 1}], dtype=object)}
    with pytest.raises(ValueError, match="allow_pickle"):
        data_cache.load_or_build(str(tmp_path), KEY, lambda: objects)
    assert list(tmp_path.iterdir()) == []


def test_keys_differ_when_only_the_border_between_two_parts_differs() -> None:
    assert data_cache.make_key("a", ["12", "3"]) != data_cache.make_key("a", ["1", "23"])


def test_the_digest_of_arrays_tells_values_shapes_types_and_order_apart() -> None:
    a, b = np.arange(6, dtype=np.uint8), np.arange(6, dtype=np.int64)
    changed = a.copy()
    changed[3] = 9
    variants = [[a, b], [b, a], [a.reshape(2, 3), b], [changed, b], [a.astype(np.int8), b]]
    assert len({data_cache.sha256_of_arrays(variant) for variant in variants}) == len(variants)
    assert data_cache.sha256_of_arrays([a[::-1][::-1], b]) == data_cache.sha256_of_arrays([a, b])


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4's example
    assert data_cache.sha256_of_file(tmp_path / "abc") == expected


def test_a_list_of_what_was_left_out_is_kept_whole_and_one_that_cannot_be_kept_costs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [(f"line {row}", 'a "reason", with all') for row in range(50)]
    kept = data_cache.keep_list(str(tmp_path / "cache"), "rejected", rows)
    assert kept is not None
    assert kept == data_cache.keep_list(str(tmp_path / "cache"), "rejected", rows)
    assert len(Path(kept).read_text().splitlines()) == 51
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        assert data_cache.keep_list(str(tmp_path / "file"), "rejected", rows) is None
    assert "cannot be listed" in caplog.text


def test_a_packed_entry_is_rebuilt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    entry = stored(tmp_path)
    with zipfile.ZipFile(entry, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = KEY.encode()
        archive.writestr("images.npy", bytes(2**20))
    with caplog.at_level(logging.WARNING):
        arrays, _ = data_cache.load_or_build(str(tmp_path), KEY, lambda: ARRAYS)
    assert_same(arrays)
    assert "it is packed" in caplog.text
