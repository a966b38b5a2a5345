"""How a `.tflite` file is called: the same few lines in Python, Kotlin and C++, for one given file.

Called by `model_card` with plain values. It must not know where the file came from.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """What the lines depend on.

    Attributes:
        file: Name of the file.
        shape: (height, width, channels) of the image.
        class_names: Name of each class, in label order.
        quantized: Whether bytes go in and out, instead of floats.
        scale: Of an output byte, probability = scale * (byte - zero_point); 1 for floats.
        zero_point: As in `scale`; 0 for floats.
    """

    file: str
    shape: tuple[int, int, int]
    class_names: Sequence[str]
    quantized: bool
    scale: float
    zero_point: int


def python(call: Call) -> str:
    """Returns the lines for the package `ai-edge-litert`."""
    height, width, channels = call.shape
    dtype = "uint8" if call.quantized else "float32"
    read = "probabilities = output.astype(np.float32)"
    if call.quantized:
        read = f"probabilities = {call.scale!r} * (output.astype(np.float32) - {call.zero_point})"
    return f'''# pip install ai-edge-litert
import numpy as np
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter("{call.file}", num_threads=1)
interpreter.allocate_tensors()
(image_in,), (answer_out,) = interpreter.get_input_details(), interpreter.get_output_details()


def probabilities_of(image: np.ndarray) -> np.ndarray:
    """image: uint8 ({height}, {width}, {channels}), 0 to 255 -> float32 ({len(call.class_names)},)."""
    interpreter.set_tensor(image_in["index"], image[None].astype(np.{dtype}))
    interpreter.invoke()
    output = interpreter.get_tensor(answer_out["index"])[0]
    {read}
    return probabilities
'''


def kotlin(call: Call) -> str:
    """Returns the class for Android, against the Interpreter API of LiteRT."""
    height, width, channels = call.shape
    pixels, classes = height * width * channels, len(call.class_names)
    names = ", ".join(f'"{_escaped(name)}"' for name in call.class_names)
    size = 1 if call.quantized else 4
    fill = (
        "input.put(pixels)"
        if call.quantized
        else "for (pixel in pixels) input.putFloat((pixel.toInt() and 0xFF).toFloat())"
    )
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
    private val input = ByteBuffer.allocateDirect({size * pixels}).order(ByteOrder.nativeOrder())
    private val output = ByteBuffer.allocateDirect({size * classes}).order(ByteOrder.nativeOrder())

    /** pixels: {height} rows of {width} pixels of {_channels(channels)}, 0 to 255. Returns the probabilities. */
    fun probabilities(pixels: ByteArray): FloatArray {{
        require(pixels.size == {pixels}) {{ "pixels must hold {pixels} bytes, got ${{pixels.size}}" }}
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
    """Returns the function for the C API of LiteRT, called from C++."""
    height, width, channels = call.shape
    pixels, classes = height * width * channels, len(call.class_names)
    kind = "std::uint8_t" if call.quantized else "float"
    read = f"{call.scale!r}f * (answer[i] - {call.zero_point})" if call.quantized else "answer[i]"
    return f'''// Header and library are in the AAR com.google.ai.edge.litert:litert, in its folders headers/ and jni/.
#include <algorithm>
#include <array>
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

  // pixels: {height} rows of {width} pixels of {_channels(channels)}, 0 to 255. Returns the probabilities.
  std::array<float, {classes}> probabilities(const std::array<std::uint8_t, {pixels}>& pixels) {{
    std::array<{kind}, {pixels}> image;
    std::copy(pixels.begin(), pixels.end(), image.begin());
    check(TfLiteTensorCopyFromBuffer(TfLiteInterpreterGetInputTensor(interpreter_.get(), 0), image.data(),
                                     sizeof(image)));
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


def _channels(count: int) -> str:
    return "1 byte (grey)" if count == 1 else "3 bytes (red, green, blue)"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
