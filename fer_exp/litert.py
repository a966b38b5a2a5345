"""From a Keras model to a `.tflite` file, and from the file back to predictions: the only place that knows LiteRT.

Called by the export options and the tests. It must not know experiments, data sets or tracking.
"""

import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from fer_exp.errors import ExportError
from fer_exp.model_file import with_labels

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Kind = Literal["float32", "float16", "dynamic", "int8"]


def convert(
    model: "keras.Model", kind: Kind, class_names: tuple[str, ...], calibration: np.ndarray | None = None
) -> bytes:
    """Converts a model to a self-contained `.tflite` file.

    Batch size 1, built-in operations only (a model that needs others fails here, not on the phone), pixels in [0, 255]
    in, probabilities out, and the class names inside the file. Pixels and probabilities are float32; those of `int8`
    are uint8, the probabilities with the scale that the file states.

    Args:
        model: Keras model (batch, height, width, channels) in [0, 255] -> logits (batch, classes), float32.
        kind: `float32`; `float16` for weights of half the size; `dynamic` for int8 weights with float activations;
            `int8` for integers alone, weights per channel.
        class_names: Name of each class, in label order.
        calibration: uint8 (n, height, width, channels), images that the ranges of `int8` are taken from.

    Returns:
        The file's content.

    Raises:
        ExportError: If the model needs other operations; the message names them.
        ValueError: If `int8` is asked for without images to calibrate with.
    """
    import keras
    import tensorflow as tf

    pixels = [] if calibration is None else [image[None].astype(np.float32) for image in calibration]
    if kind == "int8" and not pixels:
        raise ValueError("`calibration` must hold images when kind is int8.")
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve",
        lambda image: tf.nn.softmax(model(image, training=False)),
        input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="image")],
    )
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if kind != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if kind == "int8":
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: ([image] for image in pixels)
            converter.inference_input_type = converter.inference_output_type = tf.uint8
        return with_labels(_converted(converter), class_names)


def _converted(converter: "tf.lite.TFLiteConverter") -> bytes:
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        content: bytes = converter.convert()
    except ConverterError as error:
        missing = re.search(r"^(?:TF Select|Custom) ops: (.+)$", str(error), re.MULTILINE)
        if missing is None:
            raise  # a defect of the converter or ours, whose whole text is needed
        raise ExportError(
            "A `.tflite` file must do with the built-in operations of LiteRT. "
            f"Received: a model that needs {missing.group(1)}. Build the model without it, or use export=none."
        ) from error
    return content


def require_full_integer(path: Path) -> None:
    """Looks into a written file and refuses one that computes with floats anywhere.

    Args:
        path: The file.

    Raises:
        ExportError: If a tensor is float; the message names the operations that use it.
    """
    from ai_edge_litert.interpreter import Interpreter as LiteRT
    from ai_edge_litert.interpreter import OpResolverType

    # Without delegates, which put operations of their own in the place of those in the file.
    interpreter = LiteRT(
        model_path=str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    floats = {d["index"] for d in interpreter.get_tensor_details() if np.issubdtype(d["dtype"], np.floating)}
    if floats:
        used_by = {
            operation["op_name"]
            for operation in interpreter._get_ops_details()  # there is no public list of operations
            if floats & {*operation["inputs"], *operation["outputs"]}
        }
        named = ", ".join(sorted(used_by - {"QUANTIZE", "DEQUANTIZE"} or used_by))
        raise ExportError(
            f"A full-integer file must hold no float tensor. Received: {len(floats)} of them, in {named}, which "
            "LiteRT has no integer version of. Build the model without it, or export float32, float16 or dynamic."
        )


@dataclass(frozen=True)
class Latency:
    """Time of one call at batch 1, in milliseconds."""

    p50: float
    p95: float


class Interpreter:
    """A `.tflite` file ready to be called.

    Args:
        path: The file.
        threads: Threads of the interpreter.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter as LiteRT

        self._interpreter = LiteRT(model_path=str(path), num_threads=threads)
        self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        (self._output,) = self._interpreter.get_output_details()

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Returns probabilities float32 (n, classes) of uint8 images (n, height, width, channels)."""
        results = np.empty((len(images), self._output["shape"][1]), np.float32)
        for row, image in enumerate(images):
            self._interpreter.set_tensor(self._input["index"], self._tensor(image))
            self._interpreter.invoke()
            results[row] = self._interpreter.get_tensor(self._output["index"])[0]
        scale, zero_point = self._output["quantization"]
        return (results - zero_point) * scale if scale else results

    def latency(self, image: np.ndarray, calls: int, warmup_calls: int = 10) -> Latency:
        """Measures single calls on one uint8 image (height, width, channels), after some to warm up."""
        tensor = self._tensor(image)
        milliseconds = []
        for call in range(warmup_calls + calls):
            start = time.perf_counter()
            self._interpreter.set_tensor(self._input["index"], tensor)
            self._interpreter.invoke()
            if call >= warmup_calls:
                milliseconds.append(1e3 * (time.perf_counter() - start))
        p50, p95 = np.percentile(milliseconds, [50, 95])
        return Latency(float(p50), float(p95))

    def _tensor(self, image: np.ndarray) -> np.ndarray:
        return image[None].astype(self._input["dtype"])
