"""How a `.tflite` file is called: the same few lines in Python, Kotlin and C++, for one given file.

Called by `model_card` with plain values. It must not know where the file came from.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Taken:
    """What goes into a file.

    Attributes:
        name: Of the input.
        kind: image, clip or sound.
        shape: Of one row: (height, width, channels), (frames, height, width, channels) or (samples,).
        scale: Of a byte that stands for a sample, sample = scale * (byte - zero_point); 1 for floats and pixels.
        zero_point: As in `scale`; 0 for floats and pixels.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    scale: float = 1.0
    zero_point: int = 0

    @property
    def is_picture(self) -> bool:
        """Whether it consists of pixels."""
        return self.kind != "sound"

    @property
    def values(self) -> str:
        """What they are in Python."""
        shape = f"({self.shape[0]},)" if len(self.shape) == 1 else f"({', '.join(map(str, self.shape))})"
        return f"uint8 {shape}, 0 to 255" if self.is_picture else f"float32 {shape}, -1 to 1"

    @property
    def words(self) -> str:
        """What they are where there are no shapes."""
        if not self.is_picture:
            return f"{self.shape[0]} samples, -1 to 1"
        *frames, height, width, channels = self.shape
        each = "1 byte (grey)" if channels == 1 else "3 bytes (red, green, blue)"
        return f"{f'{frames[0]} frames of ' if frames else ''}{height} rows of {width} pixels of {each}, 0 to 255"


@dataclass(frozen=True)
class Call:
    """What the lines depend on.

    Attributes:
        file: Name of the file.
        taken: What goes in.
        class_names: Name of each class, in label order.
        quantized: Whether bytes go in and out, instead of floats.
        scale: Of an output byte, probability = scale * (byte - zero_point); 1 for floats.
        zero_point: As in `scale`; 0 for floats.
    """

    file: str
    taken: tuple[Taken, ...]
    class_names: Sequence[str]
    quantized: bool
    scale: float
    zero_point: int

    @property
    def only(self) -> Taken:
        """What goes in, of a file that takes one thing."""
        (taken,) = self.taken
        return taken


def python(call: Call) -> str:
    """Returns the lines for the package `ai-edge-litert`."""
    arguments = ", ".join(f"{taken.name}: np.ndarray" for taken in call.taken)
    words = ", ".join(f"{taken.name}: {taken.values}" for taken in call.taken)
    puts = "\n    ".join(
        f'interpreter.set_tensor(indices["{taken.name}"], {_as_tensor(taken, call.quantized)})' for taken in call.taken
    )
    if len(call.taken) == 1:
        found = f'indices = {{"{call.only.name}": interpreter.get_input_details()[0]["index"]}}'
    else:
        found = (
            "inputs = interpreter.get_signature_runner().get_input_details()\n"
            'indices = {name: details["index"] for name, details in inputs.items()}'
        )
    read = "probabilities = output.astype(np.float32)"
    if call.quantized:
        read = f"probabilities = {call.scale!r} * (output.astype(np.float32) - {call.zero_point})"
    return f'''# pip install ai-edge-litert
import numpy as np
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter("{call.file}", num_threads=1)
interpreter.allocate_tensors()
{found}
(answer_out,) = interpreter.get_output_details()


def probabilities_of({arguments}) -> np.ndarray:
    """{words} -> float32 ({len(call.class_names)},)."""
    {puts}
    interpreter.invoke()
    output = interpreter.get_tensor(answer_out["index"])[0]
    {read}
    return probabilities
'''


def _as_tensor(taken: Taken, quantized: bool) -> str:
    if not quantized or taken.is_picture:
        return f"{taken.name}[None].astype(np.{'uint8' if quantized else 'float32'})"
    steps = f"np.rint({taken.name}[None] / {taken.scale!r}) + {taken.zero_point}"
    return f"np.clip({steps}, 0, 255).astype(np.uint8)"


def kotlin(call: Call) -> str:
    """Returns the class for Android, against the Interpreter API of LiteRT, for a file that takes one thing."""
    taken, classes = call.only, len(call.class_names)
    count, argument = math.prod(taken.shape), "pixels" if taken.is_picture else "samples"
    names = ", ".join(f'"{_escaped(name)}"' for name in call.class_names)
    size = 1 if call.quantized else 4
    array, unit = ("ByteArray", "bytes") if taken.is_picture else ("FloatArray", "samples")
    if taken.is_picture:
        fill = "for (pixel in pixels) input.putFloat((pixel.toInt() and 0xFF).toFloat())"
        fill = "input.put(pixels)" if call.quantized else fill
    else:
        step = f"(Math.round(sample / {taken.scale!r}f) + {taken.zero_point}).coerceIn(0, 255).toByte()"
        fill = f"for (sample in samples) input.put({step})" if call.quantized else ""
        fill = fill or "for (sample in samples) input.putFloat(sample)"
    read = (
        f"{call.scale!r}f * ((output.get(it).toInt() and 0xFF) - {call.zero_point})"
        if call.quantized
        else "output.getFloat(4 * it)"
    )
    return f'''// build.gradle.kts: implementation("com.google.ai.edge.litert:litert:1.4.2")
// The artifact is LiteRT's; its Interpreter has kept the package of TensorFlow Lite.
import android.content.Context
import java.io.Closeable
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import org.tensorflow.lite.Interpreter

/** Not thread-safe: use one for each thread. */
class EmotionClassifier(context: Context, threads: Int = 1) : Closeable {{
    val classNames = listOf({names})

    private val interpreter = context.assets.openFd("{call.file}").use {{ file ->
        val model = file.createInputStream().channel.use {{
            it.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
        }}
        Interpreter(model, Interpreter.Options().setNumThreads(threads))
    }}
    private val input = ByteBuffer.allocateDirect({size * count}).order(ByteOrder.nativeOrder())
    private val output = ByteBuffer.allocateDirect({size * classes}).order(ByteOrder.nativeOrder())

    /** {argument}: {taken.words}. Returns the probabilities. */
    fun probabilities({argument}: {array}): FloatArray {{
        require({argument}.size == {count}) {{ "{argument} must hold {count} {unit}, got ${{{argument}.size}}" }}
        input.rewind()
        {fill}
        output.rewind()
        interpreter.run(input, output)
        return FloatArray({classes}) {{ {read} }}
    }}

    override fun close() = interpreter.close()
}}
'''


def cpp(call: Call) -> str:
    """Returns the function for the C API of LiteRT, called from C++, for a file that takes one thing."""
    taken, classes = call.only, len(call.class_names)
    count, argument = math.prod(taken.shape), "pixels" if taken.is_picture else "samples"
    kind = "std::uint8_t" if call.quantized else "float"
    given = "std::uint8_t" if taken.is_picture else "float"
    read = f"{call.scale!r}f * (answer[i] - {call.zero_point})" if call.quantized else "answer[i]"
    copy = f"std::copy({argument}.begin(), {argument}.end(), values.begin());"
    if call.quantized and not taken.is_picture:
        step = f"std::clamp(std::nearbyint(sample / {taken.scale!r}f) + {taken.zero_point}.0f, 0.0f, 255.0f)"
        copy = (
            "std::transform(samples.begin(), samples.end(), values.begin(), [](float sample) {\n"
            f"      return static_cast<std::uint8_t>({step});\n"
            "    });"
        )
    return f'''// Header and library are in the AAR com.google.ai.edge.litert:litert, in its folders headers/ and jni/.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <stdexcept>

#include "tensorflow/lite/c/c_api.h"

class EmotionClassifier {{
 public:
  explicit EmotionClassifier(const char* path = "{call.file}", int threads = 1)
      : model_(TfLiteModelCreateFromFile(path), TfLiteModelDelete), interpreter_(nullptr, TfLiteInterpreterDelete) {{
    if (!model_) throw std::runtime_error("the model cannot be read");
    std::unique_ptr<TfLiteInterpreterOptions, decltype(&TfLiteInterpreterOptionsDelete)> options(
        TfLiteInterpreterOptionsCreate(), TfLiteInterpreterOptionsDelete);
    TfLiteInterpreterOptionsSetNumThreads(options.get(), threads);
    interpreter_.reset(TfLiteInterpreterCreate(model_.get(), options.get()));
    if (!interpreter_) throw std::runtime_error("the interpreter cannot be made");
    check(TfLiteInterpreterAllocateTensors(interpreter_.get()));
  }}

  // {argument}: {taken.words}. Returns the probabilities.
  std::array<float, {classes}> probabilities(const std::array<{given}, {count}>& {argument}) {{
    std::array<{kind}, {count}> values;
    {copy}
    check(TfLiteTensorCopyFromBuffer(TfLiteInterpreterGetInputTensor(interpreter_.get(), 0), values.data(),
                                     sizeof(values)));
    check(TfLiteInterpreterInvoke(interpreter_.get()));
    std::array<{kind}, {classes}> answer;
    check(TfLiteTensorCopyToBuffer(TfLiteInterpreterGetOutputTensor(interpreter_.get(), 0), answer.data(),
                                   sizeof(answer)));
    std::array<float, {classes}> result;
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = {read};
    return result;
  }}

 private:
  static void check(TfLiteStatus status) {{
    if (status != kTfLiteOk) throw std::runtime_error("LiteRT failed");
  }}
  std::unique_ptr<TfLiteModel, decltype(&TfLiteModelDelete)> model_;
  std::unique_ptr<TfLiteInterpreter, decltype(&TfLiteInterpreterDelete)> interpreter_;
}};
'''


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
