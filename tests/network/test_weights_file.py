"""A file of weights that unpacks to far more than it is, or reads other files, is refused before it is read."""

import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from fer_exp.network import weights_file

LARGE = 80 * 2**20  # bytes; what a file may always hold is less


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name.replace("_", "."), content)
    return path


def packed_weights(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_group("layers").create_dataset("0", data=np.zeros(LARGE // 4, np.float32), compression="gzip")
    assert path.stat().st_size < 2**20
    return path


def test_what_keras_writes_is_good(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    for name in ("model.keras", "model.weights.h5"):
        weights_file.check(tmp_path / name)


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "model.keras", config_json=b"{}", model_weights_h5=bytes(LARGE))
    with pytest.raises(ValueError, match="it unpacks to 83,886,082 bytes, more than 67,108,864"):
        weights_file.check(path)


def test_weights_that_are_packed_inside_an_archive_or_alone_are_refused(tmp_path: Path) -> None:
    alone = packed_weights(tmp_path / "packed.weights.h5")
    inside = archive(tmp_path / "model.keras", config_json=b"{}", model_weights_h5=alone.read_bytes())
    for path in (alone, inside):
        with pytest.raises(ValueError, match="it unpacks to 83,886,080 bytes"):
            weights_file.check(path)


def test_a_description_of_a_network_is_limited_too(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more than 16,777,216"):
        weights_file.check(archive(tmp_path / "model.keras", config_json=b" " * (2**24 + 1)))


@pytest.mark.parametrize("way", ["link", "external", "virtual"])
def test_weights_that_lie_in_another_file_are_refused(tmp_path: Path, way: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        if way == "link":
            file["kernel"] = h5py.ExternalLink("secret", "/")
        elif way == "external":
            file.create_dataset("kernel", (16,), "f4", external=[(str(tmp_path / "secret"), 0, 64)])
        else:
            layout = h5py.VirtualLayout((16,), "f4")
            layout[:] = h5py.VirtualSource("secret", "kernel", (16,))
            file.create_virtual_dataset("kernel", layout)
    with pytest.raises(ValueError, match="it takes kernel from another file"):
        weights_file.check(tmp_path / "a.weights.h5")


def test_groups_that_contain_themselves_are_counted_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("a").create_dataset("kernel", data=np.zeros(4))
        file["a"]["again"] = file["/"]
    weights_file.check(tmp_path / "a.h5")
