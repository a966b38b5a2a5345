"""A training's state survives kills, full disks and damaged files."""

import logging
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_exp.errors import StorageError
from fer_exp.fit import snapshot

ARRAYS = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64), np.zeros((0, 2), np.uint32)]
STATE = {"rows": [{"epoch": 1, "val/loss": 0.1 + 0.2}], "kept": None}


def write(folder: Path, *epochs: int, key: str = "key") -> list[Path]:
    for epoch in epochs:
        snapshot.write(folder, key, epoch, {**STATE, "epoch": epoch}, ARRAYS)
    return sorted((folder / snapshot.FOLDER).iterdir())


def test_what_was_written_comes_back_bit_by_bit(tmp_path: Path) -> None:
    write(tmp_path, 3)
    found = snapshot.newest(tmp_path, "key")
    assert found is not None
    assert (found.epochs, found.state) == (3, {**STATE, "epoch": 3})
    for array, expected in zip(found.arrays, ARRAYS, strict=True):
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(array, expected)


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    files = write(tmp_path, *range(8, 13))
    assert [file.name for file in files] == ["after-epoch-000011.npz", "after-epoch-000012.npz"]


def test_a_run_that_has_completed_no_epoch_has_none(tmp_path: Path) -> None:
    assert snapshot.newest(tmp_path, "key") is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "no archive"])
def test_a_damaged_file_is_named_and_the_one_before_it_taken(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last = write(tmp_path, 1, 2)[-1]
    content = bytearray(last.read_bytes())
    content[content.index(b"\x93NUMPY") + 140] ^= 1
    changed = {"cut": last.read_bytes()[:-30], "flipped": bytes(content), "empty": b"", "no archive": b"x" * 500}
    last.write_bytes(changed[damage])
    with caplog.at_level(logging.WARNING):
        found = snapshot.newest(tmp_path, "key")
    assert found is not None
    assert found.epochs == 1
    assert str(last) in caplog.text


def test_a_foreign_file_is_named_and_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (path,) = write(tmp_path, 1, key="another")
    assert snapshot.newest(tmp_path, "key") is None
    assert f"{path} cannot be used and is passed over: it belongs to another configuration" in caplog.text


def test_pickled_objects_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        snapshot.write(tmp_path, "key", 1, {}, [np.array([object()], object)])
    assert list((tmp_path / snapshot.FOLDER).iterdir()) == []


def test_a_disk_that_takes_no_more_is_told_and_leaves_the_previous_state_usable(tmp_path: Path) -> None:
    write(tmp_path, 1)
    program = f"""
import resource, signal, numpy as np
from pathlib import Path
from fer_exp.fit import snapshot
from fer_exp.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, {resource.RLIM_INFINITY}))
try:
    snapshot.write(Path({str(tmp_path)!r}), "key", 2, {{}}, [np.zeros(10_000)])
except StorageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "after-epoch-000002.npz cannot be written (File too large)" in done.stdout
    assert "start the same command again" in done.stdout
    assert [path.name for path in (tmp_path / snapshot.FOLDER).iterdir()] == ["after-epoch-000001.npz"]
    found = snapshot.newest(tmp_path, "key")
    assert found is not None
    assert found.epochs == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / snapshot.FOLDER).write_text("a file in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        write(tmp_path, 1)


def test_a_packed_file_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    last = write(tmp_path, 1, 2)[-1]
    with zipfile.ZipFile(last) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(last, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = b"key"
        for name, content in members.items():
            archive.writestr(name, content)
    with caplog.at_level(logging.WARNING):
        found = snapshot.newest(tmp_path, "key")
    assert found is not None
    assert found.epochs == 1
    assert "it is packed" in caplog.text
