"""From a Keras model to a `.tflite` file, and from the file back to predictions: the only place that knows LiteRT.

Called by the export options and the tests. It must not know experiments, data sets or tracking.
"""

import io
import tempfile
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import keras

Kind = Literal["float32", "float16", "dynamic", "int8"]
LABELS = "labels.txt"
_MOST_LABEL_BYTES = 1 << 16


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
        ConverterError: TensorFlow's own, if the model needs other operations; its message names them.
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
        content = converter.convert()
    return with_labels(content, class_names)


def with_labels(content: bytes, class_names: tuple[str, ...]) -> bytes:
    """Appends `labels.txt`, one name a line, as a zip, which interpreters ignore and Android's readers find.

    Source:
        https://ai.google.dev/edge/litert/models/metadata (associated files).
    """
    # Appending to the flatbuffer keeps the offsets inside the zip relative to the start of the whole file.
    buffer = io.BytesIO(content)
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a", compression=zipfile.ZIP_STORED) as archive:
        # A fixed date makes equal models equal files.
        archive.writestr(zipfile.ZipInfo(LABELS, date_time=(1980, 1, 1, 0, 0, 0)), "\n".join(class_names) + "\n")
    return buffer.getvalue()


def read_labels(path: Path) -> tuple[str, ...]:
    """Returns the class names inside a `.tflite` file.

    Raises:
        ValueError: If there are none that can be read; the message says why.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(LABELS).file_size > _MOST_LABEL_BYTES:
                raise ValueError(f"{LABELS} in it must have at most {_MOST_LABEL_BYTES:,} bytes")
            return tuple(archive.read(LABELS).decode("utf-8").splitlines())
    except KeyError:
        raise ValueError(f"there is no {LABELS} in it") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise ValueError(f"no {LABELS} can be read from it: {error}") from error


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

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of what it takes, usually (1, height, width, channels)."""
        return tuple(int(side) for side in self._input["shape"])

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of what it returns, usually (1, classes)."""
        return tuple(int(side) for side in self._output["shape"])

    @property
    def input_type(self) -> str:
        """Number format of what it takes, for example `uint8`."""
        return np.dtype(self._input["dtype"]).name

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
        dtype, (scale, zero_point) = self._input["dtype"], self._input["quantization"]
        if not scale:
            return image[None].astype(dtype)
        limits = np.iinfo(dtype)
        steps = np.rint(image[None] / np.float32(scale)) + zero_point
        return np.clip(steps, limits.min, limits.max).astype(dtype)
