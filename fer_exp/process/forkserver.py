"""Jobs as forks of a server that has imported what jobs import: a start takes milliseconds, not the imports' seconds.

Called by `running`. The server is made when the first job asks for it and ends with this process, however that ends.
Threads and native state do not survive a fork, so the server runs no operation and opens nothing.

A forked job is the server's child. If the server is killed, Linux gives its children to this process, which asked for
that (`PR_SET_CHILD_SUBREAPER`): the jobs run on, and how they end is still seen.
"""

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_exp.process.job import Command

_PR_SET_CHILD_SUBREAPER = 36  # of linux/prctl.h
_GONE = "the process that jobs are forked from has ended."


class CannotForkError(Exception):
    """No process can be forked for a job; the message is for people and says why."""


def fork(command: Command, outputs: tuple[int, int]) -> "Forked":
    """Forks a process from the server of this process, which the first call makes.

    Args:
        command: What runs. The variables that imports read must be the same in all calls.
        outputs: Descriptors of its standard output and of its errors.

    Raises:
        CannotForkError: If that is not possible: not on this system, not with these variables, or not now.
        FileNotFoundError: If there is no such folder.
    """
    return _shared(command).fork(command, outputs)


class ForkServer:
    """The server as its starter sees it. It ends when the starter ends.

    Args:
        command: The first that it is to fork: its folder and its environment are those of the server.
    """

    def __init__(self, command: Command) -> None:
        self._control, theirs = socket.socketpair()
        self._lock = threading.Lock()
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "fer_exp.process.server", str(theirs.fileno())],
                cwd=command.folder,
                env=dict(command.environment),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the starter
            )

    @property
    def pid(self) -> int:
        """Number of the server's process."""
        return self._process.pid

    def fork(self, command: Command, outputs: tuple[int, int]) -> "Forked":
        """Forks a process; see the function `fork`."""
        os.stat(command.folder)
        channel, theirs = socket.socketpair()
        stdin, hold = os.pipe()
        try:
            with theirs:
                self._hand_over([stdin, *outputs, theirs.fileno()])
            return Forked(channel, hold, command)
        except BaseException:
            channel.close()
            os.close(hold)
            raise
        finally:
            os.close(stdin)

    def _hand_over(self, handles: Sequence[int]) -> None:
        try:
            with self._lock:
                socket.send_fds(self._control, [b"+"], list(handles))
        except OSError as error:
            raise CannotForkError(_GONE) from error


class Forked:
    """A job that was forked from the server. See `job.Started`.

    Args:
        channel: To the server, for this job alone.
        hold: Writing end of its standard input.
        command: What runs.

    Attributes:
        pid: Its number.

    Raises:
        CannotForkError: If the server refuses, or is gone.
    """

    def __init__(self, channel: socket.socket, hold: int, command: Command) -> None:
        self._channel, self._hold, self._said = channel, hold, b""
        self._code: int | None = None
        self._orphaned = False  # the server is gone: the job is a child of this process
        try:
            self._say({**vars(command), "folder": str(command.folder.absolute())})
            answer = self._answer()
        except OSError:
            answer = None
        if answer is None:
            raise CannotForkError(_GONE)
        if "refused" in answer:
            raise CannotForkError(f"the system refused to fork ({answer['refused']}).")
        self.pid = int(answer["pid"])
        channel.setblocking(False)

    def poll(self) -> int | None:
        """Returns the exit code; None while it runs."""
        if self._code is None and not self._orphaned:
            try:
                answer = self._answer()
            except BlockingIOError:
                return None
            except OSError:
                answer = None
            self._orphaned = answer is None
            self._code = answer["code"] if answer else None
        if self._code is None and self._orphaned:
            self._code = self._reaped()
        return self._code

    def send_signal(self, number: int, /) -> None:
        """Sends it a signal, unless it has ended."""
        if self.poll() is not None:
            return
        if self._orphaned:
            os.kill(self.pid, number)  # not waited for yet, so the number is its own
        else:
            with contextlib.suppress(OSError):  # the server has just gone; who watches the job sees it and asks again
                self._say({"signal": int(number)})

    def close(self) -> None:
        """Closes the pipe that is its standard input, and the line to the server."""
        os.close(self._hold)
        self._channel.close()

    def _say(self, message: Mapping[str, Any]) -> None:
        self._channel.sendall(json.dumps(message).encode() + b"\n")

    def _answer(self) -> dict[str, Any] | None:
        """Returns the next thing the server says; None if it never will.

        Raises:
            BlockingIOError: If it has said nothing yet, and waiting is not wanted.
        """
        while b"\n" not in self._said:
            more = self._channel.recv(4096)
            if not more:
                return None
            self._said += more
        line, _, self._said = self._said.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _reaped(self) -> int | None:
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # between the end of the server and the adoption of its children
            return None if Path(f"/proc/{self.pid}").exists() else 1
        return os.waitstatus_to_exitcode(status) if pid else None


_the_one: list[tuple[dict[str, str], ForkServer]] = []
_making = threading.Lock()


def _shared(command: Command) -> ForkServer:
    if sys.platform != "linux":
        raise CannotForkError(
            "forking a process that holds TensorFlow is safe on Linux alone. hydra.launcher.start_method=spawn says so "
            "from the beginning."
        )
    with _making:
        if not _the_one:
            _the_one.append((command.read_by_imports, ForkServer(command)))
        ((its_own, server),) = _the_one
    if its_own != command.read_by_imports:
        changed = {name for name, _ in its_own.items() ^ command.read_by_imports.items()}
        raise CannotForkError(f"the jobs before it had other values of {', '.join(sorted(changed))}.")
    return server
