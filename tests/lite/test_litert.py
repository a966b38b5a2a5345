"""A `.tflite` file answers as the Keras model does, carries its labels, and needs nothing but built-in operations."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import node

from fer_exp import config
from fer_exp.errors import ExportError
from fer_exp.lite import litert
from fer_exp.lite.litert import Interpreter, Kind, Port, convert, predict, require_full_integer
from fer_exp.lite.model_file import read_labels

NAMES = ("angry", "happy", "sad")
KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A small CNN whose batch normalisation has seen data, so that its folding shows."""
    keras.utils.set_random_seed(0)
    built: keras.Model = config.build(node("model", "cnn", widths=[8, 8], head_units=64), (16, 16, 1), 3)
    for _ in range(5):
        built(np.random.default_rng(0).uniform(0, 255, (16, 16, 16, 1)).astype(np.float32), training=True)
    return built


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (20, 16, 16, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def files(model: keras.Model, images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tflite")
    for kind in KINDS:
        (folder / kind).write_bytes(convert(model, kind, NAMES, images))
    return {kind: folder / kind for kind in KINDS}


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_float32_gives_the_probabilities_of_the_keras_model(
    model: keras.Model, files: dict[str, Path], images: np.ndarray
) -> None:
    expected = softmax(np.asarray(model(images.astype(np.float32), training=False)))
    assert expected.std() > 0.01  # else agreement would prove little
    np.testing.assert_allclose(Interpreter(files["float32"]).predict(images), expected, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_add_up_to_one(kind: str, files: dict[str, Path], images: np.ndarray) -> None:
    probabilities = Interpreter(files[kind]).predict(images)
    assert probabilities.shape == (20, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=2 / 256 if kind == "int8" else 1e-5)


def test_dynamic_is_near_the_keras_model_and_much_smaller(files: dict[str, Path], images: np.ndarray) -> None:
    exact, rounded = (Interpreter(files[kind]).predict(images) for kind in ("float32", "dynamic"))
    np.testing.assert_allclose(rounded, exact, atol=0.05)
    assert files["dynamic"].stat().st_size < 0.5 * files["float32"].stat().st_size


def test_float16_is_nearer_and_half_the_size(files: dict[str, Path], images: np.ndarray) -> None:
    exact, rounded = (Interpreter(files[kind]).predict(images) for kind in ("float32", "float16"))
    np.testing.assert_allclose(rounded, exact, atol=0.005)
    assert files["float16"].stat().st_size < 0.6 * files["float32"].stat().st_size


def test_int8_takes_and_gives_bytes_holds_no_float_and_is_near_the_keras_model(
    files: dict[str, Path], images: np.ndarray
) -> None:
    interpreter = Interpreter(files["int8"])
    assert interpreter._input["dtype"] is interpreter._output["dtype"] is np.uint8
    held = {detail["dtype"] for detail in interpreter._interpreter.get_tensor_details() if detail["name"]}
    assert held <= {np.int8, np.uint8, np.int32}
    np.testing.assert_allclose(interpreter.predict(images), Interpreter(files["float32"]).predict(images), atol=0.05)


def test_int8_without_images_to_calibrate_with_is_refused(model: keras.Model) -> None:
    with pytest.raises(ValueError, match="`calibration` must hold images"):
        convert(model, "int8", NAMES)


def test_the_input_is_one_image_of_float_pixels(files: dict[str, Path]) -> None:
    interpreter = Interpreter(files["float32"])
    assert list(interpreter._input["shape"]) == [1, 16, 16, 1]
    assert interpreter._input["dtype"] is np.float32


def test_only_built_in_operations_are_left_and_batch_norm_is_folded_away(files: dict[str, Path]) -> None:
    operations = [detail["op_name"] for detail in Interpreter(files["float32"])._interpreter._get_ops_details()]
    assert not [name for name in operations if name.startswith("Flex") or name == "CUSTOM"]
    kept = [name for name in operations if name != "DELEGATE"]
    # One MUL scales the pixels; a batch norm that was not folded would leave a MUL and an ADD for each convolution.
    assert kept.count("MUL") <= 1
    assert kept.count("ADD") == 0
    assert kept.count("DEPTHWISE_CONV_2D") == 2


def test_labels_are_read_from_the_file_by_us_and_by_any_zip_reader(files: dict[str, Path]) -> None:
    assert read_labels(files["float32"]) == NAMES
    with zipfile.ZipFile(files["dynamic"]) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == b"angry\nhappy\nsad\n"


def test_the_same_model_gives_the_same_file(model: keras.Model, files: dict[str, Path]) -> None:
    assert convert(model, "float32", NAMES) == files["float32"].read_bytes()


class Apply(keras.layers.Layer):
    """A layer of one TensorFlow function."""

    def __init__(self, function: Callable[[tf.Tensor], tf.Tensor]) -> None:
        super().__init__()
        self.function = function

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.function(x)


def model_of(function: Callable[[tf.Tensor], tf.Tensor]) -> keras.Model:
    inputs = keras.Input((4, 4, 1))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(Apply(function)(inputs / 255.0))))


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_a_model_that_needs_other_operations_is_refused_and_they_are_named(kind: Kind) -> None:
    message = r"must do with the built-in operations.*Received: a model that needs Atan\. Build the model without it"
    with pytest.raises(ExportError, match=message):
        convert(model_of(tf.atan), kind, NAMES, np.zeros((4, 4, 4, 1), np.uint8))


def test_an_operation_without_an_integer_version_is_found_in_the_written_file_and_named(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), np.uint8)
    (tmp_path / "a.tflite").write_bytes(convert(model_of(tf.sin), "int8", NAMES, images))
    message = r"must hold no float tensor. Received: 2 of them, in SIN, .* export float32, float16 or dynamic"
    with pytest.raises(ExportError, match=message):
        require_full_integer(tmp_path / "a.tflite")


def test_a_file_of_integers_alone_passes(files: dict[str, Path]) -> None:
    require_full_integer(files["int8"])
    with pytest.raises(ExportError, match="no float tensor"):
        require_full_integer(files["dynamic"])


def test_latency_is_measured_in_milliseconds(files: dict[str, Path], images: np.ndarray) -> None:
    latency = Interpreter(files["float32"]).latency(images[0], calls=20)
    assert 0 < latency.p50 <= latency.p95


@pytest.mark.parametrize("kind", KINDS)
def test_several_interpreters_give_the_bytes_of_one(kind: str, files: dict[str, Path]) -> None:
    images = np.random.default_rng(2).integers(0, 256, (150, 16, 16, 1), dtype=np.uint8)
    done: list[int] = []
    together = predict(files[kind], images, 3, done.append)
    np.testing.assert_array_equal(together, Interpreter(files[kind]).predict(images))
    assert done == [64, 64, 22]


def test_an_interrupt_of_many_answers_is_not_swallowed(files: dict[str, Path], images: np.ndarray) -> None:
    def interrupt(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(files["float32"], images, 2, interrupt)


def test_bytes_go_into_int8_as_they_are_even_if_calibration_saw_dark_images_only(
    model: keras.Model, images: np.ndarray, tmp_path: Path
) -> None:
    dark = images // 4
    (tmp_path / "a.tflite").write_bytes(convert(model, "int8", NAMES, dark))
    require_full_integer(tmp_path / "a.tflite")
    assert Interpreter(tmp_path / "a.tflite").input == Port((1, 16, 16, 1), "uint8", 1.0, 0)
    assert dark.max() < 64  # the caller's images are left alone


def test_a_file_that_would_not_take_bytes_as_they_are_does_not_pass(
    model: keras.Model, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert, "_of_full_range", lambda images: images)
    (tmp_path / "a.tflite").write_bytes(convert(model, "int8", NAMES, images // 4))
    with pytest.raises(ValueError, match="must take bytes as they are"):
        require_full_integer(tmp_path / "a.tflite")


def test_weights_of_int8_have_a_scale_for_each_channel(files: dict[str, Path]) -> None:
    details = Interpreter(files["int8"])._interpreter.get_tensor_details()
    # The first depthwise kernel has 1 channel, the first pointwise one 8, the second depthwise one 8 ...
    scales = [len(d["quantization_parameters"]["scales"]) for d in details if len(d["shape"]) == 4]
    assert scales.count(8) >= 3


def test_the_bytes_of_the_input_and_the_scale_of_the_output_are_told(files: dict[str, Path]) -> None:
    assert Interpreter(files["int8"]).output == Port((1, 3), "uint8", 1 / 256, 0)
    assert Interpreter(files["float16"]).input == Port((1, 16, 16, 1), "float32", 0.0, 0)


def test_a_file_of_somebody_else_gets_the_steps_its_scale_asks_for(
    model: keras.Model, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calibrated on images up to 63, a byte is worth a quarter; what lies beyond cannot be told from 63."""
    monkeypatch.setattr(litert, "_of_full_range", lambda images: images)
    (tmp_path / "a.tflite").write_bytes(convert(model, "int8", NAMES, np.minimum(images, 63)))
    interpreter = Interpreter(tmp_path / "a.tflite")
    assert interpreter.input.scale == pytest.approx(63 / 255)
    assert interpreter._tensor(np.full((16, 16, 1), 42, np.uint8))[0, 0, 0, 0] == 170  # 42 / (63 / 255)
    assert interpreter._tensor(np.full((16, 16, 1), 200, np.uint8))[0, 0, 0, 0] == 255
