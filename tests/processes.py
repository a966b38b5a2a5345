"""Commands of this project as real processes, forked from a server that has imported what they import.

A cold start takes seconds of imports, and the suite starts some hundred processes. What a cold start itself must do is
tested with `subprocess`, in a few places.
"""

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from fer_exp.process.forkserver import ForkServer
from fer_exp.process.job import Command

_servers: dict[frozenset[tuple[str, str]], ForkServer] = {}


class Process:
    """`subprocess.Popen` of `python -m <module> <arguments>`, as far as tests need it; output is a text stream."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        apart: bool = False,
    ) -> None:
        command = Command(module, list(arguments), folder, environment)
        read_by_imports = frozenset(item for item in command.read_by_imports.items() if item[0] != "COLUMNS")
        if read_by_imports not in _servers:
            _servers[read_by_imports] = ForkServer(command)
        self.stdout, out = _pipe()
        self.stderr, err = _pipe() if apart else (None, out)
        try:
            forked = _servers[read_by_imports].fork(command, (out, err))
        finally:
            for handle in {out, err}:
                os.close(handle)
        self._forked, self.args = forked, [module, *arguments]
        self.pid, self.returncode = forked.pid, None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._forked.poll()
            if self.returncode is not None:
                self._forked.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (timeout or 600)
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout or 600)
            time.sleep(0.02)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            self._forked.send_signal(number)

    def kill(self) -> None:
        self.send_signal(9)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Returns all that is printed until the end; both streams are read at once, or a full one would stop it."""
        texts = {"stdout": "", "stderr": ""}

        def read(name: str, stream: IO[str]) -> None:
            texts[name] = stream.read()

        streams = {name: stream for name in texts if (stream := getattr(self, name)) is not None}
        readers = [threading.Thread(target=read, args=item, daemon=True) for item in streams.items()]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        return texts["stdout"], texts["stderr"]


def run(
    module: str,
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    timeout_seconds: float = 240,
) -> "subprocess.CompletedProcess[str]":
    """Runs a command to its end, as `subprocess.run` would with its output captured."""
    process = Process(module, arguments, folder, environment, apart=True)
    try:
        out, err = process.communicate(timeout_seconds)
    except BaseException:
        process.kill()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode or 0, out, err)


def _pipe() -> tuple[IO[str], int]:
    reading, writing = os.pipe()
    return os.fdopen(reading, encoding="utf-8", errors="replace"), writing
