"""Labels and metadata travel behind the network, and a file is whole or not there."""

import json
import zipfile
from pathlib import Path

import pytest

from fer_exp.lite import model_file


def test_labels_outside_ascii_survive(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(model_file.with_labels(b"any content", ("wütend", "幸せ")))
    assert model_file.read_labels(path) == ("wütend", "幸せ")
    assert path.read_bytes().startswith(b"any content")


def test_metadata_join_the_labels_and_any_zip_reader_finds_both(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    metadata = {"class_names": ["wütend"], "metrics": {"accuracy": 0.5}}
    path.write_bytes(model_file.with_metadata(model_file.with_labels(b"network", ("wütend",)), metadata))
    assert model_file.read_metadata(path) == metadata
    assert model_file.read_labels(path) == ("wütend",)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["labels.txt", "metadata.json"]
        assert json.loads(archive.read("metadata.json")) == metadata
    assert path.read_bytes().startswith(b"network")


def test_metadata_that_json_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        model_file.with_metadata(b"", {"accuracy": float("nan")})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (model_file.with_labels(b"", ("x" * 1_048_576,)), "labels.txt in it must have at most 1,048,576 bytes"),
        (model_file.with_metadata(b"", {}), "there is no labels.txt in it"),
        (b"a network alone", "no labels.txt can be read from it: File is not a zip file"),
        (model_file.with_labels(b"", ("wütend",)).replace("ü".encode(), b"\xff\xff"), "no labels.txt can be read"),
    ],
    ids=["too large", "missing", "no zip", "damaged"],
)
def test_labels_that_cannot_be_read_are_told(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        model_file.read_labels(tmp_path / "a.tflite")


def test_metadata_that_are_a_list_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(model_file.with_metadata(b"", []))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must hold names and values"):
        model_file.read_metadata(path)


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "a.tflite"
    model_file.write(path, b"old")

    def full(part: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        model_file.write(path, b"new")
    assert [(file.name, file.read_bytes()) for file in path.parent.iterdir()] == [("a.tflite", b"old")]


def test_metadata_that_are_nested_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(model_file._with_entry(b"network", model_file.METADATA, "[" * 60_000))
    with pytest.raises(ValueError, match="nested too deeply"):
        model_file.read_metadata(path)
