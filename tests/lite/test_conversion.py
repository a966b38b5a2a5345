"""A `.tflite` file answers as the Keras model does, carries its labels, and needs nothing but built-in operations."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from converted import CLIP_AND_SOUND, KINDS, NAMES, SOUND, keras_answers, model_of, rows_of, small_model

from fer_exp.data.inputs import Specs
from fer_exp.errors import ExportError
from fer_exp.lite.conversion import Kind, Traced, convert
from fer_exp.lite.litert import Interpreter, Port, require_full_integer
from fer_exp.lite.model_file import read_labels


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_float32_gives_the_probabilities_of_the_keras_model(
    model: keras.Model, files: dict[str, Path], images: np.ndarray
) -> None:
    expected = softmax(np.asarray(model(images.astype(np.float32), training=False)))
    assert expected.std() > 0.01  # else agreement would prove little
    np.testing.assert_allclose(Interpreter(files["float32"]).predict({"image": images}), expected, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_add_up_to_one(kind: str, files: dict[str, Path], images: np.ndarray) -> None:
    probabilities = Interpreter(files[kind]).predict({"image": images})
    assert probabilities.shape == (20, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=2 / 256 if kind == "int8" else 1e-5)


def test_dynamic_is_near_the_keras_model_and_much_smaller(files: dict[str, Path], images: np.ndarray) -> None:
    exact, rounded = (Interpreter(files[kind]).predict({"image": images}) for kind in ("float32", "dynamic"))
    np.testing.assert_allclose(rounded, exact, atol=0.05)
    assert files["dynamic"].stat().st_size < 0.5 * files["float32"].stat().st_size


def test_float16_is_nearer_and_half_the_size(files: dict[str, Path], images: np.ndarray) -> None:
    exact, rounded = (Interpreter(files[kind]).predict({"image": images}) for kind in ("float32", "float16"))
    np.testing.assert_allclose(rounded, exact, atol=0.005)
    assert files["float16"].stat().st_size < 0.6 * files["float32"].stat().st_size


def test_int8_takes_and_gives_bytes_holds_no_float_and_is_near_the_keras_model(
    files: dict[str, Path], images: np.ndarray
) -> None:
    interpreter = Interpreter(files["int8"])
    assert interpreter.inputs["image"].dtype == interpreter.output.dtype == "uint8"
    held = {detail["dtype"] for detail in interpreter._interpreter.get_tensor_details() if detail["name"]}
    assert held <= {np.int8, np.uint8, np.int32}
    np.testing.assert_allclose(
        interpreter.predict({"image": images}), Interpreter(files["float32"]).predict({"image": images}), atol=0.05
    )


def test_int8_without_rows_to_calibrate_with_is_refused(model: keras.Model) -> None:
    with pytest.raises(ValueError, match="`calibration` must hold rows"):
        convert(model, "int8", NAMES)


def test_the_input_is_one_image_of_float_pixels(files: dict[str, Path]) -> None:
    assert Interpreter(files["float32"]).inputs == {"image": Port((1, 16, 16, 1), "float32", 0.0, 0)}


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


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_a_model_that_needs_other_operations_is_refused_and_they_are_named(kind: Kind) -> None:
    message = r"must do with the built-in operations.*Received: a model that needs Atan\. Build the model without it"
    with pytest.raises(ExportError, match=message):
        convert(model_of(tf.atan), kind, NAMES, {"image": np.zeros((4, 4, 4, 1), np.uint8)})


def test_bytes_go_into_int8_as_they_are_even_if_calibration_saw_dark_images_only(
    model: keras.Model, images: np.ndarray, tmp_path: Path
) -> None:
    dark = images // 4
    (tmp_path / "a.tflite").write_bytes(convert(model, "int8", NAMES, {"image": dark}))
    require_full_integer(tmp_path / "a.tflite")
    assert Interpreter(tmp_path / "a.tflite").inputs == {"image": Port((1, 16, 16, 1), "uint8", 1.0, 0)}
    assert dark.max() < 64  # the caller's images are left alone


def test_weights_of_int8_have_a_scale_for_each_channel(files: dict[str, Path]) -> None:
    details = Interpreter(files["int8"])._interpreter.get_tensor_details()
    # The first depthwise kernel has 1 channel, the first pointwise one 8, the second depthwise one 8 ...
    scales = [len(d["quantization_parameters"]["scales"]) for d in details if len(d["shape"]) == 4]
    assert scales.count(8) >= 3


def test_a_model_is_traced_once_for_all_kinds_and_nothing_is_left(
    model: keras.Model, files: dict[str, Path], images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[Path, int]] = []
    load = tf.lite.TFLiteConverter.from_saved_model

    def noted(folder: str) -> object:
        read.append((Path(folder), (Path(folder) / "saved_model.pb").stat().st_mtime_ns))
        return load(folder)

    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_saved_model", noted)
    with Traced(model) as traced:
        assert traced.convert("dynamic", NAMES) == files["dynamic"].read_bytes()
        assert traced.convert("int8", NAMES, {"image": images}) == files["int8"].read_bytes()
    assert read[0] == read[1]
    assert not read[0][0].exists()


@pytest.mark.parametrize(("kind", "tolerance"), [("float32", 1e-4), ("int8", 0.1)])
@pytest.mark.parametrize("specs", [SOUND, CLIP_AND_SOUND], ids=["sound", "clip and sound"])
def test_other_inputs_go_in_under_their_names_and_are_answered_as_by_keras(
    specs: Specs, kind: Kind, tolerance: float, file_of: Callable[[Specs, str], Path]
) -> None:
    interpreter, rows = Interpreter(file_of(specs, kind)), rows_of(specs)
    assert {name: port.shape for name, port in interpreter.inputs.items()} == {
        name: (1, *spec.shape) for name, spec in specs.items()
    }
    expected = keras_answers(small_model(specs), rows)
    np.testing.assert_allclose(interpreter.predict(rows), expected, atol=tolerance)
    turned = dict(reversed(rows.items()))
    np.testing.assert_array_equal(interpreter.predict(turned), interpreter.predict(rows))
