"""The server that jobs are forked from: `python -m fer_exp.process.server <descriptor>`.

Started by `forkserver`. It imports what every job imports, then waits. It must run no operation of TensorFlow, start no
thread and open nothing: a fork inherits memory, but neither threads nor what libraries believe of them. (OpenBLAS and
Arrow have threads of their own from their import on, and put them right around a fork.)
"""

import contextlib
import gc
import json
import os
import runpy
import select
import socket
import sys
from dataclasses import dataclass
from typing import Any

from fer_exp.process import imported

_LOOK_SECONDS = 0.02  # how often ended jobs are looked for while there are some


@dataclass(frozen=True)
class Work:
    """What a forked process is to become.

    Attributes:
        request: `module`, `arguments`, `folder` and `environment`.
        handles: Its standard input, output and errors.
    """

    request: dict[str, Any]
    handles: list[int]

    def begin(self) -> None:
        """Becomes `python -m <module> <arguments>` in that folder, with that environment and those streams."""
        os.setsid()  # Ctrl-C is for the starter
        for target, handle in enumerate(self.handles):
            os.dup2(handle, target)
        for handle in set(self.handles):
            os.close(handle)
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=stream.isatty() or stream is sys.stderr)  # type: ignore[union-attr]
        os.chdir(self.request["folder"])
        os.environ.clear()
        os.environ.update(self.request["environment"])
        sys.path[0] = self.request["folder"]
        sys.argv = [self.request["module"], *self.request["arguments"]]
        runpy.run_module(self.request["module"], run_name="__main__", alter_sys=True)


def main() -> None:
    """Imports, serves, and in each forked process begins its work."""
    control = socket.socket(fileno=int(sys.argv[1]))
    imported.load()
    gc.collect()
    gc.freeze()  # what is never looked at is never copied
    work = _serve(control)
    if work is not None:
        work.begin()


def _serve(control: socket.socket) -> Work | None:
    """Forks a process for each request; returns its work in each of them, None here when the starter is gone."""
    channels: dict[int, socket.socket] = {}  # of the jobs that run
    silent: set[int] = set()  # those whose starter has closed the line
    while True:
        watched = [control, *(channel for pid, channel in channels.items() if pid not in silent)]
        ready, _, _ = select.select(watched, [], [], _LOOK_SECONDS if channels else None)
        silent |= {pid for pid, channel in channels.items() if channel in ready and not _pass_on(pid, channel)}
        _tell_the_ended(channels)
        silent &= channels.keys()  # numbers are used again
        if control in ready:
            _, handles, _, _ = socket.recv_fds(control, 1, 4)
            if not handles:
                return None
            *streams, line = handles
            channel = socket.socket(fileno=line)
            work = _fork(channel, channels, streams)
            if work is not None:
                control.close()
                return work
            for handle in streams:
                os.close(handle)


def _fork(channel: socket.socket, channels: dict[int, socket.socket], streams: list[int]) -> Work | None:
    """Forks for the request on a line; returns its work in the new process."""
    with channel.makefile("r", encoding="utf-8") as lines:
        text = lines.readline()
    if not text:  # the starter was interrupted
        channel.close()
        return None
    try:
        pid = os.fork()
    except OSError as error:
        _say(channel, refused=error.strerror or str(error))
        channel.close()
        return None
    if pid:
        channels[pid] = channel
        _say(channel, pid=pid)
        return None
    for inherited in (channel, *channels.values()):
        inherited.close()
    return Work(json.loads(text), streams)


def _pass_on(pid: int, channel: socket.socket) -> bool:
    """Sends a job the signals that its starter asks for, and tells whether there may be more.

    The job is not waited for yet, so the number is its own.
    """
    try:
        text = channel.recv(4096)
    except ConnectionResetError:  # the starter was killed with an answer unread
        return False
    for line in text.splitlines():
        os.kill(pid, json.loads(line)["signal"])
    return bool(text)


def _tell_the_ended(channels: dict[int, socket.socket]) -> None:
    for pid in list(channels):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            channel = channels.pop(pid)
            _say(channel, code=os.waitstatus_to_exitcode(status))
            channel.close()


def _say(channel: socket.socket, **message: Any) -> None:
    with contextlib.suppress(OSError):  # the starter no longer listens; its jobs end themselves
        channel.sendall(json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
