"""The lines that are printed for a file work as printed."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from exportables import small

from fer_exp.emotions import EMOTIONS
from fer_exp.lite import conversion, litert, usage
from fer_exp.lite.usage import Call

NAMES = ("angry", 'the "$happy"', "sad")
BYTES = Call("int8.tflite", (4, 5, 3), NAMES, True, 1 / 256, 2)
FLOATS = Call("float32.tflite", (4, 5, 1), NAMES, False, 1.0, 0)


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_the_python_lines_give_the_probabilities_of_the_file(
    kind: conversion.Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exportable = small()
    images = exportable.splits.test.images
    path = tmp_path / f"{kind}.tflite"
    path.write_bytes(conversion.convert(exportable.model, kind, NAMES, images))
    interpreter = litert.Interpreter(path)
    call = Call(
        path.name, (16, 16, 1), NAMES, kind == "int8", interpreter.output.scale or 1.0, interpreter.output.zero_point
    )
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(usage.python(call), names)
    answer = names["probabilities_of"](images[0])  # type: ignore[operator]
    np.testing.assert_allclose(answer, interpreter.predict(images[:1])[0], atol=1e-6)
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
  std::array<std::uint8_t, PIXELS> pixels{};
  pixels[0] = 200; pixels[1] = 0; pixels[2] = 255;
  for (float p : classifier.probabilities(pixels)) std::printf("%g ", p);
  try { EmotionClassifier("none"); } catch (const std::runtime_error& e) { std::printf("%s", e.what()); }
}
"""


@pytest.mark.whole
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.parametrize(
    ("call", "expected"),
    [(BYTES, [(200 - 2) / 256, -2 / 256, (255 - 2) / 256]), (FLOATS, [200, 0, 255])],
    ids=["bytes", "floats"],
)
def test_the_cpp_lines_compile_without_a_warning_and_read_bytes_without_a_sign(
    call: Call, expected: list[float], tmp_path: Path
) -> None:
    header = tmp_path / "tensorflow" / "lite" / "c" / "c_api.h"
    header.parent.mkdir(parents=True)
    header.write_text("#pragma once\n#include <cstddef>\n#include <cstdint>\n" + HEADER)
    pixels = str(np.prod(call.shape))
    (tmp_path / "a.cc").write_text(usage.cpp(call) + LIBRARY + MAIN.replace("PIXELS", pixels))
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
    first, names, error, accelerated = run("java", "-cp", "app.jar:classes", "MainKt", np.prod(call.shape)).splitlines()
    assert [float(number) for number in first.split()] == pytest.approx(expected)
    assert names == "|".join(NAMES)
    assert error == f"pixels must hold {np.prod(call.shape)} bytes, got 1"
    assert [float(number) for number in accelerated.split()] == [200, 0, 255]


def test_the_guide_to_devices_prints_the_same_lines() -> None:
    call = Call("int8.tflite", (48, 48, 1), EMOTIONS, True, 1 / 256, 0)
    assert printed_in_the_guide("class EmotionClassifier") == usage.kotlin(call)
