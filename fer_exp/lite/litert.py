"""From a `.tflite` file to predictions, times, and what the file holds: the only place that knows LiteRT.

Called by the export options and whoever measures a file. It must not know experiments, data sets or tracking.
"""

import importlib.metadata
import queue
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_exp.data.image_rows import Images
from fer_exp.errors import ExportError
from fer_exp.process import quiet

_CHUNK = 64  # images that an interpreter answers before it reports


def load_library() -> None:
    """Loads LiteRT itself, so that what follows measures a file and not the library."""
    import ai_edge_litert.interpreter  # noqa: F401


def version() -> str:
    """Returns the version of LiteRT."""
    return importlib.metadata.version("ai-edge-litert")


def require_full_integer(path: Path) -> None:
    """Looks into a written file and refuses one that computes with floats anywhere.

    Args:
        path: The file.

    Raises:
        ExportError: If a tensor is float; the message names the operations that use it.
        ValueError: If pixels would not go in as they are, which is a defect of who wrote the file.
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
    (pixels,) = map(_port, interpreter.get_input_details())
    if (pixels.dtype, pixels.scale, pixels.zero_point) != ("uint8", 1.0, 0):
        raise ValueError(f"`path` must take bytes as they are, that is uint8 of scale 1. Received: {pixels}.")


@dataclass(frozen=True)
class Port:
    """What goes into a file or comes out of it.

    Attributes:
        shape: Of the tensor, batch first, which is 1.
        dtype: NumPy's name of its type, `float32` or `uint8`.
        scale: Of a quantised value, real = scale * (value - zero_point); 0 if it is not quantised.
        zero_point: As in `scale`.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


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

        with quiet.held_back():  # the first file of a process makes LiteRT tell what computes
            self._interpreter = LiteRT(model_path=str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        (self._output,) = self._interpreter.get_output_details()
        self.input, self.output = _port(self._input), _port(self._output)
        as_pixels = replace(self.input, dtype="uint8", scale=1.0, zero_point=0)
        self._takes_pixels = not self.input.scale or self.input == as_pixels

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Returns probabilities float32 (n, classes) of uint8 images (n, height, width, channels)."""
        results = np.empty((len(images), self.output.shape[1]), np.float32)
        for row, image in enumerate(images):
            self._interpreter.set_tensor(self._input["index"], self._tensor(image))
            self._interpreter.invoke()
            results[row] = self._interpreter.get_tensor(self._output["index"])[0]
        scale, zero_point = self.output.scale, self.output.zero_point
        return ((results - zero_point) * scale).astype(np.float32) if scale else results

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
        dtype, scale = self._input["dtype"], self.input.scale
        if self._takes_pixels:
            return image[None].astype(dtype)
        limits = np.iinfo(dtype)  # of a file that somebody else made
        steps = np.rint(image[None] / np.float32(scale)) + self.input.zero_point
        return np.clip(steps, limits.min, limits.max).astype(dtype)


def predict(path: Path, images: Images, workers: int, advance: Callable[[int], None] = lambda _: None) -> np.ndarray:
    """Returns what a file answers to many images, by several interpreters of one thread each.

    The files take one image at a time, as on a phone: a larger batch would be another graph, and gives other bytes.

    Args:
        path: The file.
        images: uint8 (n, height, width, channels).
        workers: Interpreters at work at once, >= 1.
        advance: Told now and then how many more images are done.

    Returns:
        Probabilities float32 (n, classes), the same for any number of workers.
    """
    free: queue.SimpleQueue[Interpreter] = queue.SimpleQueue()
    for _ in range(workers):
        free.put(Interpreter(path))

    def answer(start: int) -> np.ndarray:
        interpreter = free.get()
        try:
            return interpreter.predict(images[start : start + _CHUNK])
        finally:
            free.put(interpreter)

    answers = []
    with ThreadPoolExecutor(workers) as pool:
        try:
            for part in pool.map(answer, range(0, len(images), _CHUNK)):
                answers.append(part)
                advance(len(part))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # an interrupt must not wait for the whole split
            raise
    return np.concatenate(answers)


def _port(details: Mapping[str, Any]) -> Port:
    scale, zero_point = details["quantization"]
    shape = tuple(int(size) for size in details["shape"])
    return Port(shape, np.dtype(details["dtype"]).name, float(scale), int(zero_point))
