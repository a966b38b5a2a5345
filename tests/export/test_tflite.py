"""Every file is written, answers again, and is published only if it keeps the accuracy."""

import dataclasses
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from contracts import node
from converted import CLIP_AND_SOUND
from exportables import FACTS, NAMES, of_others, small
from rich.console import Console

from fer_exp import __version__
from fer_exp.data.inputs import Inputs
from fer_exp.errors import ConfigError
from fer_exp.export import Exportable, Exported
from fer_exp.lite.litert import Interpreter
from fer_exp.lite.model_file import read_labels, read_metadata
from fer_exp.options import config


@pytest.fixture(scope="module")
def exportable() -> Exportable:
    return small()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run") / "tflite"
    made.mkdir()
    (made / "int8.tflite").write_bytes(b"of an attempt that was cut off")
    (made / "old.tflite").write_bytes(b"of an attempt that was cut off")
    return made


@pytest.fixture(scope="module")
def exported(exportable: Exportable, folder: Path) -> list[Exported]:
    kinds = ["float32", "int8", "float32"]
    export = config.build(node("export", "tflite", kinds=kinds, latency_calls=5, threads=[2], max_accuracy_drop=1.0))
    found: list[Exported] = export(exportable, folder)
    return found


def test_each_kind_is_written_once_under_its_name_and_nothing_else_is_left(
    exported: list[Exported], folder: Path
) -> None:
    assert [(entry.kind, entry.path) for entry in exported] == [
        ("float32", folder / "float32.tflite"),
        ("int8", folder / "int8.tflite"),
    ]
    assert sorted(file.name for file in folder.iterdir()) == ["float32.tflite", "int8.tflite"]
    assert not folder.with_name("withheld").exists()


def test_the_numbers_are_those_of_the_published_file_itself(exported: list[Exported], exportable: Exportable) -> None:
    test = exportable.splits.test
    for entry in exported:
        answers = Interpreter(entry.path).predict(test.inputs).argmax(axis=1)
        numbers = entry.numbers()
        assert numbers["accuracy"] == np.mean(answers == test.labels)
        assert numbers["agreement"] == np.mean(answers == exportable.evaluation.predictions)
        assert numbers["size_mb"] == entry.path.stat().st_size / 1e6


def test_latency_is_measured_for_one_thread_and_for_those_asked_for(exported: list[Exported]) -> None:
    for entry in exported:
        numbers = entry.numbers()
        assert 0 < numbers["latency_ms_p50"] <= numbers["latency_ms_p95"]
        assert 0 < numbers["latency_ms_p50_2_threads"] <= numbers["latency_ms_p95_2_threads"]
        assert not [name for name in numbers if name.endswith("_4_threads")]


def test_a_file_says_what_it_is(exported: list[Exported]) -> None:
    by_kind = {entry.kind: entry for entry in exported}
    for entry in exported:
        assert read_labels(entry.path) == NAMES
        with zipfile.ZipFile(entry.path) as archive:
            assert archive.testzip() is None
            metadata = json.loads(archive.read("metadata.json"))
        assert metadata == read_metadata(entry.path)
        assert metadata["class_names"] == list(NAMES)
        assert metadata["kind"] == entry.kind
        assert metadata["fer_exp"] == __version__
        assert metadata["run_id"] == FACTS["run_id"]
        assert metadata["data_sha256"] == "ff" * 32
        assert metadata["input"]["shape"] == [1, 16, 16, 1]
        assert metadata["input"]["range"] == [0, 255]
        assert metadata["input"]["channels"] == "grey"
        assert metadata["inputs"] == {"image": metadata["input"]}
        assert metadata["metrics"]["test_accuracy"] == entry.test.accuracy
        assert metadata["metrics"]["val_accuracy_drop"] == entry.val_gap.accuracy
        assert "/home" not in json.dumps(metadata)
    assert read_metadata(by_kind["float32"].path)["input"]["dtype"] == "float32"
    assert read_metadata(by_kind["float32"].path)["output"]["quantization"] is None
    assert read_metadata(by_kind["int8"].path)["input"]["dtype"] == "uint8"
    assert read_metadata(by_kind["int8"].path)["input"]["quantization"] == {"scale": 1.0, "zero_point": 0}
    assert read_metadata(by_kind["int8"].path)["output"]["quantization"] == {"scale": 1 / 256, "zero_point": 0}


def test_a_file_of_two_inputs_says_what_each_is_and_is_measured_as_any_other(tmp_path: Path) -> None:
    exportable = of_others(CLIP_AND_SOUND)
    made = config.build(node("export", "tflite", kinds=["int8"], latency_calls=2, threads=[1], max_accuracy_drop=1.0))
    (entry,) = made(exportable, tmp_path / "tflite")
    assert entry.numbers()["agreement"] > 0.8
    metadata = read_metadata(entry.path)
    assert "input" not in metadata
    face, voice = metadata["inputs"]["face"], metadata["inputs"]["voice"]
    assert voice["quantization"].keys() == {"scale", "zero_point"}
    assert face == {
        "shape": [1, 3, 8, 8, 1], "dtype": "uint8", "quantization": {"scale": 1.0, "zero_point": 0}, "kind": "clip",
        "layout": "batch, frames, height, width, channels", "range": [0, 255], "channels": "grey", "rate": 10.0,
    }  # fmt: skip
    assert voice == {
        "shape": [1, 40], "dtype": "uint8", "quantization": voice["quantization"], "kind": "sound",
        "layout": "batch, samples", "range": [-1, 1], "rate": 400.0,
    }  # fmt: skip


def test_a_file_that_falls_short_on_validation_is_not_published_whatever_the_test_split_says(
    exportable: Exportable, tmp_path: Path
) -> None:
    """The reference that the file is held against is right on every validation image, which the model is not."""
    val = exportable.splits.val

    def perfect(inputs: Inputs) -> np.ndarray:
        assert inputs is val.inputs  # the gate has no business with other images
        return 0.1 + 0.7 * np.eye(3)[val.labels]

    screen = Console(file=io.StringIO(), force_terminal=True, width=100)
    strict = dataclasses.replace(exportable, predict=perfect, console=screen)
    export = config.build(node("export", "tflite", kinds=["float32"], latency_calls=2, threads=[1]))
    (entry,) = export(strict, tmp_path / "tflite")
    assert entry.test_gap.accuracy == 0.0  # on the test split it is as good as Keras
    drop = 1 - entry.val.accuracy
    assert entry.val_gap.accuracy == pytest.approx(drop)
    assert entry.withheld == (
        f"validation accuracy is {100 * drop:.2f} points below Keras', and export.max_accuracy_drop=0.01 allows 1"
    )
    assert entry.numbers()["published"] == 0
    assert not (tmp_path / "tflite").exists()
    assert entry.path == tmp_path / "withheld" / "float32.tflite"
    assert entry.path.is_file()
    assert "float32.tflite answers" in screen.file.getvalue()  # type: ignore[attr-defined]


def test_a_kind_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(
        ConfigError,
        match=r"`export.kinds.0` must be 'float32', 'float16', 'dynamic', 'int8' or 'int8_qat'. Received: .*'int4'",
    ):
        config.build(node("export", "tflite", kinds=["int4"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"calibration_images": 0}, "`export.calibration_images` must be greater than 0"),
        ({"max_accuracy_drop": -0.1}, "`export.max_accuracy_drop` must be greater than or equal to 0"),
        ({"max_accuracy_drop": 2.0}, "`export.max_accuracy_drop` must be less than or equal to 1"),
        ({"threads": []}, "`export.threads` must"),
        ({"threads": [0]}, "`export.threads.0` must be greater than 0"),
    ],
)
def test_options_out_of_range_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.build(node("export", "tflite", **change))
