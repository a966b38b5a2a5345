"""From a `.tflite` file to predictions, times, and what the file holds: the only place that knows LiteRT.

Called by the export options and whoever measures a file. It must not know experiments, data sets or tracking.
"""

import importlib.metadata
import queue
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_exp.data import inputs as rows_of
from fer_exp.data.inputs import Inputs
from fer_exp.errors import ExportError
from fer_exp.process import quiet

_CHUNK = 64  # rows that an interpreter answers before it reports
_PICTURE_AXES = 4  # of a tensor, at least: batch, height, width, channels


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
    for port in map(_port, interpreter.get_input_details()):
        if port.is_picture and not port.takes_bytes:
            raise ValueError(f"`path` must take bytes as they are, that is uint8 of scale 1. Received: {port}.")


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

    @property
    def is_picture(self) -> bool:
        """Whether it is an image or a clip, whose values are bytes from 0 to 255."""
        return len(self.shape) >= _PICTURE_AXES

    @property
    def takes_bytes(self) -> bool:
        """Whether bytes from 0 to 255 go in as they are."""
        return (self.dtype, self.scale, self.zero_point) == ("uint8", 1.0, 0)

    def tensor(self, values: np.ndarray) -> np.ndarray:
        """Returns real values (...) as this takes them, (1, ...)."""
        if not self.scale or self.takes_bytes:
            return values[None].astype(self.dtype)
        limits = np.iinfo(self.dtype)
        steps = np.rint(values[None] / np.float32(self.scale)) + self.zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)


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
        details = self._input_details()
        self._indices = {name: found["index"] for name, found in details.items()}
        self.inputs = {name: _port(found) for name, found in details.items()}
        (self._output,) = self._interpreter.get_output_details()
        self.output = _port(self._output)

    def _input_details(self) -> Mapping[str, Mapping[str, Any]]:
        """Returns what LiteRT says of each input, by the name that the signature of the file gives it."""
        details = self._interpreter.get_input_details()
        signatures = list(self._interpreter.get_signature_list().values())
        names = signatures[0]["inputs"] if signatures else []
        if len(details) == 1:  # a file from elsewhere may have no signature
            return {names[0] if names else "image": details[0]}
        found: Mapping[str, Mapping[str, Any]] = self._interpreter.get_signature_runner().get_input_details()
        return found

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns probabilities float32 (n, classes).

        Args:
            inputs: Rows of each input by its name, (n, ...), bytes or real values; of a file with one input the name
                does not matter.
        """
        rows = len(next(iter(inputs.values())))
        results = np.empty((rows, self.output.shape[1]), np.float32)
        for row in range(rows):
            self._put({name: values[row] for name, values in inputs.items()})
            self._interpreter.invoke()
            results[row] = self._interpreter.get_tensor(self._output["index"])[0]
        scale, zero_point = self.output.scale, self.output.zero_point
        return ((results - zero_point) * scale).astype(np.float32) if scale else results

    def latency(self, calls: int, warmup_calls: int = 10) -> Latency:
        """Measures single calls on one row of random values, after some to warm up."""
        random = np.random.default_rng(0)
        row = {
            name: random.integers(0, 256, port.shape[1:], np.uint8)
            if port.is_picture
            else random.uniform(-1, 1, port.shape[1:]).astype(np.float32)
            for name, port in self.inputs.items()
        }
        tensors = self._tensors(row)
        milliseconds = []
        for call in range(warmup_calls + calls):
            start = time.perf_counter()
            for index, tensor in tensors.items():
                self._interpreter.set_tensor(index, tensor)
            self._interpreter.invoke()
            if call >= warmup_calls:
                milliseconds.append(1e3 * (time.perf_counter() - start))
        p50, p95 = np.percentile(milliseconds, [50, 95])
        return Latency(float(p50), float(p95))

    def _put(self, row: Mapping[str, np.ndarray]) -> None:
        for index, tensor in self._tensors(row).items():
            self._interpreter.set_tensor(index, tensor)

    def _tensors(self, row: Mapping[str, np.ndarray]) -> dict[int, np.ndarray]:
        """Returns what goes into the file, by the index of the tensor."""
        given = rows_of.matched(row, self.inputs)
        return {self._indices[name]: port.tensor(given[name]) for name, port in self.inputs.items()}


def predict(path: Path, inputs: Inputs, workers: int, advance: Callable[[int], None] = lambda _: None) -> np.ndarray:
    """Returns what a file answers to many rows, by several interpreters of one thread each.

    The files take one row at a time, as on a phone: a larger batch would be another graph, and gives other bytes.

    Args:
        path: The file.
        inputs: Rows of each input by its name, (n, ...), as they are stored.
        workers: Interpreters at work at once, >= 1.
        advance: Told now and then how many more rows are done.

    Returns:
        Probabilities float32 (n, classes), the same for any number of workers.
    """
    free: queue.SimpleQueue[Interpreter] = queue.SimpleQueue()
    for _ in range(workers):
        free.put(Interpreter(path))

    def answer(start: int) -> np.ndarray:
        interpreter = free.get()
        try:
            return interpreter.predict(rows_of.read(inputs, slice(start, start + _CHUNK)))
        finally:
            free.put(interpreter)

    answers = []
    with ThreadPoolExecutor(workers) as pool:
        try:
            for part in pool.map(answer, range(0, rows_of.count(inputs), _CHUNK)):
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
