"""Interpreters answer alike, alone and together; what a file holds is looked at before it is trusted."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from converted import CLIP_AND_SOUND, KINDS, NAMES, SOUND, model_of, rows_of

from fer_exp.data.inputs import Specs
from fer_exp.errors import ExportError
from fer_exp.lite import conversion
from fer_exp.lite.conversion import convert
from fer_exp.lite.litert import Interpreter, Port, predict, require_full_integer


def test_an_operation_without_an_integer_version_is_found_in_the_written_file_and_named(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), np.uint8)
    (tmp_path / "a.tflite").write_bytes(convert(model_of(tf.sin), "int8", NAMES, {"image": images}))
    message = r"must hold no float tensor. Received: 2 of them, in SIN, .* export float32, float16 or dynamic"
    with pytest.raises(ExportError, match=message):
        require_full_integer(tmp_path / "a.tflite")


def test_a_file_of_integers_alone_passes(files: dict[str, Path]) -> None:
    require_full_integer(files["int8"])
    with pytest.raises(ExportError, match="no float tensor"):
        require_full_integer(files["dynamic"])


def test_latency_is_measured_in_milliseconds(files: dict[str, Path]) -> None:
    latency = Interpreter(files["float32"]).latency(calls=20)
    assert 0 < latency.p50 <= latency.p95


@pytest.mark.parametrize("kind", KINDS)
def test_several_interpreters_give_the_bytes_of_one(kind: str, files: dict[str, Path]) -> None:
    images = np.random.default_rng(2).integers(0, 256, (150, 16, 16, 1), dtype=np.uint8)
    done: list[int] = []
    together = predict(files[kind], {"image": images}, 3, done.append)
    np.testing.assert_array_equal(together, Interpreter(files[kind]).predict({"image": images}))
    assert done == [64, 64, 22]


def test_an_interrupt_of_many_answers_is_not_swallowed(files: dict[str, Path], images: np.ndarray) -> None:
    def interrupt(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(files["float32"], {"image": images}, 2, interrupt)


def test_a_file_that_would_not_take_bytes_as_they_are_does_not_pass(
    model: keras.Model, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "_of_full_range", lambda images: images)
    (tmp_path / "a.tflite").write_bytes(convert(model, "int8", NAMES, {"image": images // 4}))
    with pytest.raises(ValueError, match="must take bytes as they are"):
        require_full_integer(tmp_path / "a.tflite")


def test_the_bytes_of_the_input_and_the_scale_of_the_output_are_told(files: dict[str, Path]) -> None:
    assert Interpreter(files["int8"]).output == Port((1, 3), "uint8", 1 / 256, 0)
    assert Interpreter(files["float16"]).inputs == {"image": Port((1, 16, 16, 1), "float32", 0.0, 0)}


def test_a_file_of_somebody_else_gets_the_steps_its_scale_asks_for(
    model: keras.Model, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calibrated on images up to 63, a byte is worth a quarter; what lies beyond cannot be told from 63."""
    monkeypatch.setattr(conversion, "_of_full_range", lambda images: images)
    (tmp_path / "a.tflite").write_bytes(convert(model, "int8", NAMES, {"image": np.minimum(images, 63)}))
    port = Interpreter(tmp_path / "a.tflite").inputs["image"]
    assert port.scale == pytest.approx(63 / 255)
    assert port.tensor(np.full((16, 16, 1), 42, np.uint8))[0, 0, 0, 0] == 170  # 42 / (63 / 255)
    assert port.tensor(np.full((16, 16, 1), 200, np.uint8))[0, 0, 0, 0] == 255


@pytest.mark.parametrize("specs", [SOUND, CLIP_AND_SOUND], ids=["sound", "clip and sound"])
def test_sounds_may_have_a_scale_of_their_own_and_pixels_go_in_as_they_are(
    specs: Specs, file_of: Callable[[Specs, str], Path]
) -> None:
    path, rows = file_of(specs, "int8"), rows_of(specs)
    require_full_integer(path)
    ports = Interpreter(path).inputs
    assert {name: port.takes_bytes for name, port in ports.items()} == {name: name == "face" for name in specs}
    assert ports["voice"].dtype == "uint8"
    assert ports["voice"].scale == pytest.approx(2 / 255, rel=0.02)
    np.testing.assert_array_equal(predict(path, rows, 2), Interpreter(path).predict(rows))
    assert Interpreter(path).latency(calls=5).p50 > 0
