"""A process that loads `.tflite` files in the place of the one that asks: a malformed file can crash an interpreter.

Started by `litert_guard`. It imports LiteRT once, then forks for each file, so that every file has a process of its own
within milliseconds. Answers are JSON and raw numbers, never pickle: what a file has broken must not break the asker.
"""

import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from fer_exp.lite.litert import Interpreter

_MOST_LETTERS = 300  # of a reason


def main() -> None:
    """Forks a process for each file that is asked for, and says how it ended; ends with its starter."""
    from ai_edge_litert import interpreter  # noqa: F401 - once, before the forks

    control = socket.socket(fileno=int(sys.argv[1]))
    while True:
        request, handles, _, _ = socket.recv_fds(control, 1 << 16, 1)
        if not request:
            return
        process = os.fork()
        if process == 0:
            _serve(Connection(handles[0]), **json.loads(request))
            os._exit(0)
        os.close(handles[0])
        _, status = os.waitpid(process, 0)
        control.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _serve(line: Connection, path: str, threads: int, seconds: float, memory_bytes: int) -> None:
    """Answers for one file until the line is closed."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with _at_most(seconds):
            interpreters = [Interpreter(Path(path))]
            first = interpreters[0]
        ports = [{"name": name, "shape": port.shape, "type": port.dtype} for name, port in first.inputs.items()]
        _say(line, inputs=ports, output=first.output.shape)
        with ThreadPoolExecutor(threads) as pool:  # LiteRT lets other threads run while it computes
            while True:
                types = json.loads(line.recv_bytes())
                values = {
                    name: np.frombuffer(line.recv_bytes(), types[name]).reshape(-1, *port.shape[1:])
                    for name, port in first.inputs.items()
                }
                count = len(next(iter(values.values())))
                with _at_most(seconds):
                    while len(interpreters) < min(threads, count):
                        interpreters.append(Interpreter(Path(path)))
                    parts = np.array_split(np.arange(count), min(threads, count))
                    shares = [{name: rows[part] for name, rows in values.items()} for part in parts]
                    rows = np.concatenate(list(pool.map(Interpreter.predict, interpreters, shares)))
                _say(line, rows=len(rows))
                line.send_bytes(rows.astype(np.float32).tobytes())
    except EOFError:
        return
    except Exception as error:  # whatever a file makes the interpreter raise is an answer
        _say(line, error=" ".join(f"{type(error).__name__}: {error}".split())[:_MOST_LETTERS])


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Ends the process by SIGALRM if it takes longer: no exception gets out of a native call."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


def _say(line: Connection, **answer: Any) -> None:
    line.send_bytes(json.dumps(answer).encode())


if __name__ == "__main__":
    main()
