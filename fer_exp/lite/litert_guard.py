"""`.tflite` files from anywhere, called without loading them into this process.

Called by whoever predicts with a file that nobody has proven. A malformed flatbuffer can crash an interpreter, make it
hang, or make it ask for all memory there is; here that ends a process beside this one and is told in one sentence. It
keeps mistakes in, not attackers: that process may do whatever its user may.
"""

import json
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from fer_exp import process
from fer_exp.data.inputs import Spec, from_plain
from fer_exp.errors import ModelError
from fer_exp.lite.model_file import read_labels, read_metadata

CRASH = "it crashes the interpreter"  # in the message about a file that does
LIMIT_BYTES = 1 << 29  # of a file
_MEMORY_BYTES = 6 << 30  # address space of the process that loads it
_MOST_VALUES = 4096 * 4096 * 3  # of an input: a larger one is no image of a face
_TYPES = ("float32", "uint8", "int8")
_SUM_TOLERANCE = 0.1  # the probabilities of an int8 file are multiples of 1/256, each rounded
_SOURCES = Path(__file__).parents[2]


class Guard:
    """The process that forks for each file; made once, used for any number of files, one at a time.

    Args:
        threads: Interpreters side by side; None is one for each core.
        seconds: A file that takes longer to be loaded, or for one batch of images, is refused.
    """

    def __init__(self, threads: int | None = None, seconds: float = 60.0) -> None:
        self._threads, self._seconds = threads or process.cores(), seconds
        self._control, theirs = socket.socketpair()
        path = os.pathsep.join([str(_SOURCES), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "fer_exp.lite.litert_child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what LiteRT says of each file it opens; its errors come as answers
                env={**os.environ, "PYTHONPATH": path},
            )

    def __enter__(self) -> "Guard":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._control.close()
        self._process.wait()

    @contextmanager
    def open(self, path: Path) -> Iterator["GuardedFile"]:
        """Loads a file in a process of its own, and proves it by one call.

        Raises:
            ModelError: If it cannot be loaded, is no classifier, or does not survive.
        """
        _check_size(path)
        request = {
            "path": str(path.absolute()),
            "threads": self._threads,
            "seconds": self._seconds,
            "memory_bytes": _MEMORY_BYTES,
        }
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [json.dumps(request).encode()], [theirs.fileno()])
        statuses: list[int] = []

        def status() -> int:
            if not statuses:
                statuses.append(self._read_status())
            return statuses[0]

        line = Connection(ours.detach())
        try:
            yield GuardedFile(path, line, self._seconds, status)
        finally:
            line.close()
            status()

    def _read_status(self) -> int:
        """Waits for the process of a file, and returns its exit code; negative is a signal."""
        said = b""
        while not said.endswith(b"\n"):
            more = self._control.recv(64)
            if not more:
                raise RuntimeError(f"the process that loads .tflite files has ended ({self._process.wait()})")
            said += more
        return int(said)


class GuardedFile:
    """A file that is loaded in another process; made by `Guard.open`.

    Attributes:
        inputs: What it takes, by the names of its inputs.
        class_names: Name of each class, as the file says.
    """

    def __init__(self, path: Path, line: Connection, seconds: float, status: Callable[[], int]) -> None:
        self._path, self._line, self._seconds, self._status = path, line, seconds, status
        about = self._answer()
        self.inputs = _inputs(path, about)
        self.class_names = _class_names(path, about["output"])
        self.predict({name: np.zeros((1, *spec.shape), spec.about.dtype) for name, spec in self.inputs.items()})

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns probabilities float32 (n, classes), rows sum to 1.

        Args:
            inputs: Rows of each input by its name, (n, ...), as its kind stores them.

        Raises:
            ModelError: If the file does not survive that, or what it returns are no probabilities.
        """
        try:
            self._line.send_bytes(json.dumps({name: spec.about.dtype for name, spec in self.inputs.items()}).encode())
            for name, spec in self.inputs.items():
                self._line.send_bytes(np.ascontiguousarray(inputs[name], spec.about.dtype).tobytes())
        except OSError:
            raise self._ended() from None
        count = self._answer()["rows"]
        rows = np.frombuffer(self._receive(), np.float32).reshape(count, len(self.class_names))
        sums = rows.sum(axis=1, keepdims=True)
        # The comparison is written so that NaN fails it.
        if not (np.all(rows >= -1e-3) and np.all(np.abs(sums - 1) <= _SUM_TOLERANCE)):
            worst = rows[np.argmax(~((rows >= -1e-3).all(axis=1) & (np.abs(sums[:, 0] - 1) <= _SUM_TOLERANCE)))]
            raise ModelError(
                f"{self._path} must return probabilities, which lie between 0 and 1 and sum to 1. "
                f"Received: {', '.join(f'{value:.4g}' for value in worst[:7])}."
            )
        return np.clip(rows, 0, None) / np.clip(rows, 0, None).sum(axis=1, keepdims=True)

    def _answer(self) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = json.loads(self._receive())
        if "error" in answer:
            raise ModelError(f"{self._path} is no .tflite file that can be used: {answer['error']}.")
        return answer

    def _receive(self) -> bytes:
        try:
            return self._line.recv_bytes()
        except (EOFError, OSError):
            raise self._ended() from None

    def _ended(self) -> ModelError:
        code = self._status()
        if code == -signal.SIGALRM:
            return ModelError(f"{self._path} takes more than {self._seconds:g} seconds for one call.")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return ModelError(f"{self._path} is damaged: {CRASH} ({how}). Export or download it again.")


def _check_size(path: Path) -> None:
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not path.is_file() or size > LIMIT_BYTES:
        raise ModelError(f"{path} must be a file of at most {LIMIT_BYTES:,} bytes. Received: {size:,} bytes.")


def _inputs(path: Path, about: Mapping[str, Any]) -> dict[str, Spec]:
    """Returns what a file takes: as it says itself, or one image if it does not say and is shaped like that."""
    ports, returned = about["inputs"], about["output"]
    shapes = {port["name"]: tuple(port["shape"][1:]) for port in ports}
    found = _described(path)
    described = {name: spec.shape for name, spec in found.items()} == shapes
    if not described:
        found = {name: Spec(name, "image", shape) for name, shape in shapes.items()}
    alone = all(port["shape"][:1] == [1] for port in ports)
    fits = alone and all(spec.fits() and math.prod(spec.shape) <= _MOST_VALUES for spec in found.values())
    if not fits or not (described or len(found) == 1):
        received = "; ".join(f"{tuple(port['shape'])}, {port['type']}" for port in ports)
        raise ModelError(f"{path} must take one image: (1, height, width, 1 or 3). Received: {received}.")
    if strange := [port["type"] for port in ports if port["type"] not in _TYPES]:
        raise ModelError(f"{path} must take values as {', '.join(_TYPES)}. Received: {strange[0]}.")
    if len(returned) != 2 or returned[0] != 1 or returned[1] < 2:
        raise ModelError(f"{path} must return one row (1, classes). Received: {tuple(returned)}.")
    return found


def _described(path: Path) -> dict[str, Spec]:
    """Returns the inputs that the metadata of a file describe; none where there are none, as in files of others."""
    try:
        said = read_metadata(path)["inputs"]
        rows = {name: {**about, "shape": about["shape"][1:]} for name, about in said.items()}  # without the batch
        return from_plain(rows)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _class_names(path: Path, returned: tuple[int, int]) -> tuple[str, ...]:
    try:
        names = read_labels(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} must hold the names of its classes, as exported files do: {error}.") from error
    if len(names) != returned[1] or len(set(names)) != len(names) or not all(name.isprintable() for name in names):
        raise ModelError(
            f"{path} must name its {returned[1]} classes, each differently. Received: {', '.join(names)[:200]!r}."
        )
    return names
