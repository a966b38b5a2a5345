"""Which process a run belongs to: what tells a run that is going on from one whose process is gone.

Called by `tracking`, which marks every run, by `doctor`, and by whoever works in the folder of a run, which one process
at a time may do. A process that is killed cannot say so itself.
"""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import psutil
from filelock import FileLock, Timeout

from fer_exp.errors import StorageError

LOCK = ".lock"
HOST, PID, STARTED = "owner.host", "owner.pid", "owner.started"
_CLOCK_SECONDS = 2.0  # the kernel's clock of process starts may be set right while a process lives


def mark() -> dict[str, str]:
    """Returns the tags that name this process."""
    started = psutil.Process().create_time()
    return {HOST: socket.gethostname(), PID: str(os.getpid()), STARTED: f"{started:.2f}"}


def state(tags: Mapping[str, str]) -> Literal["alive", "gone", "elsewhere", "unknown"]:
    """Tells whether the process that the tags name is alive.

    Args:
        tags: Of a run; without an owner among them the answer is unknown.

    Returns:
        `elsewhere` if it was started on another host, where nothing can be seen from here.
    """
    if not {HOST, PID, STARTED} <= tags.keys():
        return "unknown"
    if tags[HOST] != socket.gethostname():
        return "elsewhere"
    try:
        process = psutil.Process(int(tags[PID]))
        # Numbers are used again: another process may have it by now.
        same = abs(process.create_time() - float(tags[STARTED])) < _CLOCK_SECONDS
        return "alive" if same and process.status() != psutil.STATUS_ZOMBIE else "gone"
    except psutil.NoSuchProcess:
        return "gone"


def locks(cache_dir: str | Path) -> Path:
    """Returns the folder of locks that belong to no run, made if needed: only this user can take or hold one there.

    A lock of a known name in the shared temporary folder could be held by anybody.

    Args:
        cache_dir: As configured; `~` expands.

    Raises:
        StorageError: If it cannot be made.
    """
    folder = Path(cache_dir).expanduser() / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(
            f"`cache_dir` must be a folder that can be written. Received: {cache_dir} ({error.strerror or error})."
        ) from error
    return folder


def lock(folder: Path) -> FileLock | None:
    """Keeps other processes out of the folder of a run; the system frees the lock when this one ends, however it ends.

    Args:
        folder: Exists.

    Returns:
        What is to be released; None if another process is at work there.
    """
    taken = FileLock(folder / LOCK)
    try:
        taken.acquire(timeout=0)
    except Timeout:
        return None
    return taken
