"""The lines that are printed for a file work as printed."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from converted import CLIP_AND_SOUND, SOUND, rows_of
from exportables import small

from fer_exp.data.emotions import EMOTIONS
from fer_exp.data.inputs import Inputs, Specs
from fer_exp.lite import conversion, litert, usage
from fer_exp.lite.usage import Call, Taken

NAMES = ("angry", 'the "$happy"', "sad")
BYTES = Call("int8.tflite", (Taken("image", "image", (4, 5, 3)),), NAMES, True, 1 / 256, 2)
FLOATS = Call("float32.tflite", (Taken("image", "image", (4, 5, 1)),), NAMES, False, 1.0, 0)
SOUND_BYTES = Call("int8.tflite", (Taken("voice", "sound", (40,), 1 / 64, 100),), NAMES, True, 1 / 256, 2)
SOUND_FLOATS = Call("float32.tflite", (Taken("voice", "sound", (40,)),), NAMES, False, 1.0, 0)


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_the_python_lines_give_the_probabilities_of_the_file(
    kind: conversion.Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exportable = small()
    path = tmp_path / f"{kind}.tflite"
    path.write_bytes(conversion.convert(exportable.model, kind, NAMES, exportable.splits.test.inputs))
    check_python_lines(path, exportable.splits.specs, exportable.splits.test.inputs, monkeypatch)


@pytest.mark.parametrize("kind", ["float32", "int8"])
@pytest.mark.parametrize("specs", [SOUND, CLIP_AND_SOUND], ids=["sound", "clip and sound"])
def test_the_python_lines_of_other_inputs_work_too(
    specs: Specs, kind: str, file_of: Callable[[Specs, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_python_lines(file_of(specs, kind), specs, rows_of(specs), monkeypatch)


def check_python_lines(path: Path, specs: Specs, rows: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raises if the lines do not give the probabilities of the file."""
    file = litert.Interpreter(path)
    taken = tuple(
        Taken(name, spec.kind, spec.shape, file.inputs[name].scale or 1.0, file.inputs[name].zero_point)
        for name, spec in specs.items()
    )
    is_int8 = path.stem == "int8"
    call = Call(path.name, taken, NAMES, is_int8, file.output.scale or 1.0, file.output.zero_point)
    monkeypatch.chdir(path.parent)
    names: dict[str, Any] = {}
    exec(usage.python(call), names)
    for row in range(3):
        answer = names["probabilities_of"](**{name: values[row] for name, values in rows.items()})
        expected = file.predict({name: values[row : row + 1] for name, values in rows.items()})[0]
        np.testing.assert_allclose(answer, expected, atol=1e-6)
        assert answer.dtype == np.float32


def test_kotlin_reads_bytes_without_a_sign_and_floats_as_they_are() -> None:
    text = usage.kotlin(BYTES)
    assert "allocateDirect(60)" in text
    assert "allocateDirect(3)" in text
    assert "input.put(pixels)" in text
    assert "0.00390625f * ((output.get(it).toInt() and 0xFF) - 2)" in text
    assert r'listOf("angry", "the \"\$happy\"", "sad")' in text
    text = usage.kotlin(FLOATS)
    assert "allocateDirect(80)" in text
    assert "input.putFloat((pixel.toInt() and 0xFF).toFloat())" in text
    assert "output.getFloat(4 * it)" in text


def test_kotlin_takes_samples_as_floats_and_makes_bytes_of_them_where_the_file_wants_some() -> None:
    text = usage.kotlin(SOUND_BYTES)
    assert "fun probabilities(samples: FloatArray)" in text
    assert "allocateDirect(40)" in text
    assert "input.put((Math.round(sample / 0.015625f) + 100).coerceIn(0, 255).toByte())" in text
    text = usage.kotlin(SOUND_FLOATS)
    assert "allocateDirect(160)" in text
    assert "for (sample in samples) input.putFloat(sample)" in text


# Of the C API of LiteRT, what the lines use.
HEADER = """
typedef struct TfLiteModel TfLiteModel;
typedef struct TfLiteInterpreterOptions TfLiteInterpreterOptions;
typedef struct TfLiteInterpreter TfLiteInterpreter;
typedef struct TfLiteTensor TfLiteTensor;
typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
extern "C" {
TfLiteModel* TfLiteModelCreateFromFile(const char* model_path);
void TfLiteModelDelete(TfLiteModel* model);
TfLiteInterpreterOptions* TfLiteInterpreterOptionsCreate();
void TfLiteInterpreterOptionsDelete(TfLiteInterpreterOptions* options);
void TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions* options, int32_t num_threads);
TfLiteInterpreter* TfLiteInterpreterCreate(const TfLiteModel* model, const TfLiteInterpreterOptions* options);
void TfLiteInterpreterDelete(TfLiteInterpreter* interpreter);
TfLiteStatus TfLiteInterpreterAllocateTensors(TfLiteInterpreter* interpreter);
TfLiteTensor* TfLiteInterpreterGetInputTensor(const TfLiteInterpreter* interpreter, int32_t input_index);
TfLiteStatus TfLiteInterpreterInvoke(TfLiteInterpreter* interpreter);
const TfLiteTensor* TfLiteInterpreterGetOutputTensor(const TfLiteInterpreter* interpreter, int32_t output_index);
TfLiteStatus TfLiteTensorCopyFromBuffer(TfLiteTensor* tensor, const void* input_data, size_t input_data_size);
TfLiteStatus TfLiteTensorCopyToBuffer(const TfLiteTensor* output_tensor, void* output_data, size_t output_data_size);
}
"""
# A library in which the network answers with its first pixels.
LIBRARY = """
#include <cstring>
struct TfLiteModel {}; struct TfLiteInterpreterOptions {}; struct TfLiteInterpreter {}; struct TfLiteTensor {};
static TfLiteModel model; static TfLiteInterpreterOptions options; static TfLiteInterpreter interpreter;
static TfLiteTensor tensor; static char held[1024]; static size_t size;
TfLiteModel* TfLiteModelCreateFromFile(const char* path) { return std::strcmp(path, "none") ? &model : nullptr; }
void TfLiteModelDelete(TfLiteModel*) {}
TfLiteInterpreterOptions* TfLiteInterpreterOptionsCreate() { return &options; }
void TfLiteInterpreterOptionsDelete(TfLiteInterpreterOptions*) {}
void TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions*, int32_t) {}
TfLiteInterpreter* TfLiteInterpreterCreate(const TfLiteModel*, const TfLiteInterpreterOptions*) {
  return &interpreter;
}
void TfLiteInterpreterDelete(TfLiteInterpreter*) {}
TfLiteStatus TfLiteInterpreterAllocateTensors(TfLiteInterpreter*) { return kTfLiteOk; }
TfLiteTensor* TfLiteInterpreterGetInputTensor(const TfLiteInterpreter*, int32_t) { return &tensor; }
const TfLiteTensor* TfLiteInterpreterGetOutputTensor(const TfLiteInterpreter*, int32_t) { return &tensor; }
TfLiteStatus TfLiteInterpreterInvoke(TfLiteInterpreter*) { return kTfLiteOk; }
TfLiteStatus TfLiteTensorCopyFromBuffer(TfLiteTensor*, const void* data, size_t n) {
  std::memcpy(held, data, size = n);
  return kTfLiteOk;
}
TfLiteStatus TfLiteTensorCopyToBuffer(const TfLiteTensor*, void* data, size_t n) {
  std::memcpy(data, held, n);
  return n < size ? kTfLiteOk : kTfLiteError;
}
"""
MAIN = """
#include <cstdio>
int main() {
  EmotionClassifier classifier;
  for (float p : classifier.probabilities({GIVEN})) std::printf("%g ", p);
  try { EmotionClassifier("none"); } catch (const std::runtime_error& e) { std::printf("%s", e.what()); }
}
"""


@pytest.mark.whole
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.parametrize(
    ("call", "given", "expected"),
    [
        (BYTES, "200, 0, 255", [(200 - 2) / 256, -2 / 256, (255 - 2) / 256]),
        (FLOATS, "200, 0, 255", [200, 0, 255]),
        (SOUND_BYTES, "0.5f, -3, 3", [(132 - 2) / 256, -2 / 256, (255 - 2) / 256]),
        (SOUND_FLOATS, "0.5f, -1, 1", [0.5, -1, 1]),
    ],
    ids=["bytes", "floats", "bytes of a sound", "floats of a sound"],
)
def test_the_cpp_lines_compile_without_a_warning_and_read_bytes_without_a_sign(
    call: Call, given: str, expected: list[float], tmp_path: Path
) -> None:
    header = tmp_path / "tensorflow" / "lite" / "c" / "c_api.h"
    header.parent.mkdir(parents=True)
    header.write_text("#pragma once\n#include <cstddef>\n#include <cstdint>\n" + HEADER)
    (tmp_path / "a.cc").write_text(usage.cpp(call) + LIBRARY + MAIN.replace("GIVEN", given))
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wno-unused-variable", "-I", str(tmp_path)]
    done = subprocess.run(
        ["g++", *flags, str(tmp_path / "a.cc"), "-o", str(tmp_path / "a")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = subprocess.run([str(tmp_path / "a")], capture_output=True, text=True, check=True).stdout
    numbers, error = re.match(r"((?:\S+ ){3})(.*)", said).groups()  # type: ignore[union-attr]
    assert [float(number) for number in numbers.split()] == pytest.approx(expected)
    assert error == "the model cannot be read"


def printed_in_the_guide(what: str) -> str:
    """Returns the Kotlin block of docs/on_device.md that holds the words."""
    blocks = re.findall(r"```kotlin\n(.*?)```", (ROOT / "docs" / "on_device.md").read_text(), re.DOTALL)
    (found,) = [block for block in blocks if what in block]
    return str(found)


KOTLIN_TOOLS = ("kotlinc", "javac", "java")


@pytest.mark.whole
@pytest.mark.skipif(not all(map(shutil.which, KOTLIN_TOOLS)), reason=f"needs {', '.join(KOTLIN_TOOLS)}")
@pytest.mark.parametrize(
    ("call", "expected"),
    [(BYTES, [(200 - 2) / 256, -2 / 256, (255 - 2) / 256]), (FLOATS, [200, 0, 255])],
    ids=["bytes", "floats"],
)
def test_the_kotlin_lines_compile_against_the_public_api_and_read_bytes_without_a_sign(
    call: Call, expected: list[float], tmp_path: Path
) -> None:
    stubs = Path(__file__).parent / "android"
    (tmp_path / "EmotionClassifier.kt").write_text(usage.kotlin(call))
    (tmp_path / "AcceleratedClassifier.kt").write_text(printed_in_the_guide("class AcceleratedClassifier"))
    (tmp_path / call.file).write_bytes(b"model")

    def run(*words: object) -> str:
        done = subprocess.run(list(map(str, words)), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("javac", "-d", "classes", *stubs.rglob("*.java"))
    sources = ("EmotionClassifier.kt", "AcceleratedClassifier.kt", stubs / "Main.kt")
    run("kotlinc", *sources, "-cp", "classes", "-include-runtime", "-d", "app.jar")
    first, names, error, accelerated = run(
        "java", "-cp", "app.jar:classes", "MainKt", np.prod(call.only.shape)
    ).splitlines()
    assert [float(number) for number in first.split()] == pytest.approx(expected)
    assert names == "|".join(NAMES)
    assert error == f"pixels must hold {np.prod(call.only.shape)} bytes, got 1"
    assert [float(number) for number in accelerated.split()] == [200, 0, 255]


def test_the_guide_to_devices_prints_the_same_lines() -> None:
    call = Call("int8.tflite", (Taken("image", "image", (48, 48, 1)),), EMOTIONS, True, 1 / 256, 0)
    assert printed_in_the_guide("class EmotionClassifier") == usage.kotlin(call)
