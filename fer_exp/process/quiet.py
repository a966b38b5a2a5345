"""TensorFlow and LiteRT without the lines that they print to everybody.

Called when `fer_exp` is imported, where LiteRT opens a file, and where one is converted. TensorFlow's native libraries
say what they did not find and what they were built with while they are loaded, before they read any setting of theirs.
So the stream itself is held back for that long, whoever imports TensorFlow, and what is no such line is printed then.
"""

import importlib.util
import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import BinaryIO

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # 0 everything, 1 no information, 2 no warnings, 3 no errors, which are raised anyway
_EVERYTHING = "0"
_IDLE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|I\d{4} [\d:.]+ +\d+ |INFO: |fully_quantize: "
)
_RETRACED = "triggered tf.function retracing"  # which each stage of a training does once, having a step of its own
_one_at_a_time = threading.RLock()


def install(environment: MutableMapping[str, str]) -> None:
    """Makes TensorFlow quiet in this process and those it starts, unless the environment asks for all it has to say.

    Args:
        environment: `os.environ`; TF_CPP_MIN_LOG_LEVEL=0 asks for everything.
    """
    if environment.setdefault(LEVEL, "3") == _EVERYTHING:
        return
    logging.getLogger("tensorflow").addFilter(_worth_telling)
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _Finder())


def _worth_telling(record: logging.LogRecord) -> bool:
    return _RETRACED not in record.getMessage()


class _Finder(MetaPathFinder):
    """Finds TensorFlow as it would be found without it, and then gets out of the way."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    """Loads with the stream of errors held back."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)  # what else loaders are asked for, such as resources

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with held_back():
            self._loader.exec_module(module)


@contextmanager
def held_back(stream: int = 2) -> Iterator[None]:
    """Keeps what is written to a descriptor, and lets through what is no idle line at the end, however that comes.

    Args:
        stream: The descriptor; that of the errors, unless told otherwise.
    """
    if os.environ.get(LEVEL) == _EVERYTHING:
        yield
        return
    sys.stderr.flush()
    # Two that put a descriptor aside at once would put each other's back.
    with _one_at_a_time, tempfile.TemporaryFile() as kept:
        before = os.dup(stream)
        os.dup2(kept.fileno(), stream)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(before, stream)
            os.close(before)
            _let_through(kept, stream)


def _let_through(kept: BinaryIO, stream: int) -> None:
    kept.seek(0)
    for line in kept:
        if not _IDLE.match(line):
            os.write(stream, line)
