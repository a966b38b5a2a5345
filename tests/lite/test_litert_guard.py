"""A `.tflite` file is loaded in a process beside this one, whose end is told in one sentence."""

import io
import os
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import psutil
import pytest
from answers import NAMES
from contracts import node
from converted import CLIP_AND_SOUND, SOUND, rows_of
from exportables import of_others
from made_run import SHAPE, brightness_model, write_tflite

from fer_exp.data.inputs import Specs, image
from fer_exp.errors import ModelError
from fer_exp.lite.conversion import convert
from fer_exp.lite.litert import Interpreter
from fer_exp.lite.litert_guard import LIMIT_BYTES, Guard
from fer_exp.lite.model_file import read_labels, with_labels
from fer_exp.options import config

FLAT = np.array([20, 120, 250], np.uint8)[:, None, None, None] * np.ones((1, *SHAPE), np.uint8)


@pytest.fixture(scope="module")
def guard() -> Iterator[Guard]:
    with Guard(threads=2) as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("files")
    for kind in ("float32", "int8"):
        write_tflite(made, kind)
    return made


def of_guard(guard: Guard) -> list[psutil.Process]:
    return psutil.Process(guard._process.pid).children()


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_a_sound_file_answers_as_it_does_in_this_process(guard: Guard, folder: Path, kind: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (11, *SHAPE), np.uint8)
    with guard.open(folder / f"{kind}.tflite") as model:
        assert (model.inputs, model.class_names) == (image(SHAPE), NAMES)
        rows = model.predict({"image": images})
        assert model.predict({"image": FLAT}).argmax(axis=1).tolist() == [0, 1, 2]
    direct = Interpreter(folder / f"{kind}.tflite").predict({"image": images})
    np.testing.assert_allclose(rows, direct / direct.sum(axis=1, keepdims=True), atol=1e-6)
    assert not of_guard(guard)


@pytest.mark.parametrize("specs", [SOUND, CLIP_AND_SOUND], ids=["sound", "clip and sound"])
def test_a_file_that_says_what_its_inputs_are_is_asked_by_their_names(
    guard: Guard, specs: Specs, tmp_path: Path
) -> None:
    export = config.build(node("export", "tflite", kinds=["int8"], latency_calls=1, threads=[1], max_accuracy_drop=1.0))
    (entry,) = export(of_others(specs), tmp_path / "tflite")
    rows = rows_of(specs)
    with guard.open(entry.path) as model:
        assert model.inputs == specs
        found = model.predict(rows)
    direct = Interpreter(entry.path).predict(rows)
    np.testing.assert_allclose(found, direct / direct.sum(axis=1, keepdims=True), atol=1e-6)


def test_a_file_of_a_sound_that_does_not_say_so_is_refused(guard: Guard, file_of: Callable[[Specs, str], Path]) -> None:
    assert "must take one image: (1, height, width, 1 or 3). Received: (1, 40), float32." in refused(
        guard, file_of(SOUND, "float32")
    )
    assert (
        "must take one image: (1, height, width, 1 or 3). Received: (1, 3, 8, 8, 1), uint8; (1, 40), uint8."
        in refused(guard, file_of(CLIP_AND_SOUND, "int8"))
    )


def test_a_file_that_kills_its_process_is_told_and_the_next_one_works(guard: Guard, folder: Path) -> None:
    path = folder / "float32.tflite"
    with guard.open(path) as model:
        os.kill(of_guard(guard)[0].pid, signal.SIGSEGV)
        with pytest.raises(ModelError) as caught:
            model.predict({"image": FLAT})
    assert str(caught.value) == (
        f"{path} is damaged: it crashes the interpreter (SIGSEGV). Export or download it again."
    )
    with guard.open(path) as model:
        assert len(model.predict({"image": FLAT})) == 3


def test_a_file_that_takes_too_long_is_told(folder: Path) -> None:
    with Guard(threads=1, seconds=0.3) as impatient, impatient.open(folder / "float32.tflite") as model:
        many = np.zeros((500_000, *SHAPE), np.uint8)
        with pytest.raises(ModelError, match=r"float32.tflite takes more than 0.3 seconds for one call\."):
            model.predict({"image": many})


def refused(guard: Guard, path: Path) -> str:
    with pytest.raises(ModelError) as caught, guard.open(path):
        pass
    return str(caught.value)


def test_what_is_no_model_is_told(guard: Guard, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    assert refused(guard, path) == f"{path} cannot be read: No such file or directory."
    path.write_bytes(b"nothing of the kind")
    assert "is no .tflite file that can be used: ValueError: " in refused(guard, path)
    path.write_bytes((folder / "float32.tflite").read_bytes()[:600])
    assert "is no .tflite file that can be used: ValueError: " in refused(guard, path)
    path.write_bytes(b"")
    os.truncate(path, LIMIT_BYTES + 1)
    assert f"must be a file of at most {LIMIT_BYTES:,} bytes. Received: {LIMIT_BYTES + 1:,} bytes." in refused(
        guard, path
    )


def converted(model: keras.Model, path: Path, names: tuple[str, ...] = NAMES) -> Path:
    path.write_bytes(convert(model, "float32", names))
    return path


def test_a_model_of_another_input_or_output_is_told(guard: Guard, tmp_path: Path) -> None:
    flat = keras.Input((10,))
    vector = converted(keras.Model(flat, keras.layers.Dense(3)(flat)), tmp_path / "vector.tflite")
    assert "must take one image: (1, height, width, 1 or 3). Received: (1, 10), float32." in refused(guard, vector)
    many = converted(brightness_model((8, 8, 5)), tmp_path / "channels.tflite")
    assert "must take one image: (1, height, width, 1 or 3). Received: (1, 8, 8, 5), float32." in refused(guard, many)
    image = keras.Input(SHAPE)
    picture = converted(keras.Model(image, keras.layers.Conv2D(3, 1)(image)), tmp_path / "picture.tflite")
    assert "must return one row (1, classes). Received: (1, 24, 24, 3)." in refused(guard, picture)


def test_class_names_that_are_missing_or_do_not_fit_are_told(guard: Guard, folder: Path, tmp_path: Path) -> None:
    content = (folder / "float32.tflite").read_bytes()
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(content[: content.rindex(b"PK\x03\x04")])
    assert "must hold the names of its classes, as exported files do: no labels.txt can be read" in refused(guard, bare)
    few = converted(brightness_model(), tmp_path / "few.tflite", ("a", "b"))
    assert "must name its 3 classes, each differently. Received: 'a, b'." in refused(guard, few)
    same = converted(brightness_model(), tmp_path / "same.tflite", ("a", "b", "b"))
    assert "each differently. Received: 'a, b, b'." in refused(guard, same)


def test_values_that_are_no_probabilities_are_told(guard: Guard, tmp_path: Path) -> None:
    model = brightness_model()
    weights = model.get_weights()
    model.set_weights([weights[0], weights[1] * np.nan, weights[2]])
    path = converted(model, tmp_path / "nan.tflite")
    assert "must return probabilities, which lie between 0 and 1 and sum to 1. Received: nan, nan" in refused(
        guard, path
    )


def test_labels_are_read_within_limits(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(with_labels(b"x", ("long" * 300_000,)))
    with pytest.raises(ValueError, match="must have at most 1,048,576 bytes"):
        read_labels(path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("other.txt", "x")
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="there is no labels.txt in it"):
        read_labels(path)


def test_the_process_imports_neither_tensorflow_nor_pillow(guard: Guard, folder: Path) -> None:
    with guard.open(folder / "float32.tflite"):
        loaded = Path(f"/proc/{of_guard(guard)[0].pid}/maps").read_text()
    assert "litert" in loaded
    assert "libtensorflow" not in loaded
    assert "PIL" not in loaded
