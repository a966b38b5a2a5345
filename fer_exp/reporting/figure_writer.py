"""Figures written beside what else a run does, by a process of its own.

Called by `experiment` and `conclusion`, and by whatever writes a run's figures. Matplotlib needs a third of a second of
a core for a figure, and holds the interpreter meanwhile: a thread would not help.
"""

import functools
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from fer_exp.reporting import figure_style

log = logging.getLogger(__name__)

_handed_over: list[tuple[Figure, Path, "Future[None]"]] = []
_open_blocks: list[None] = []


@functools.cache
def start() -> ProcessPoolExecutor | None:
    """Starts the process that writes figures; before TensorFlow has threads, which a forked process would not have.

    Returns:
        Where figures are handed over; None if the system refuses, which is said: they are written in this process then.
    """
    how = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    try:
        pool = ProcessPoolExecutor(1, how, _leave_signals_to_the_starter)
        pool.submit(os.getpid)
    except (OSError, ImportError, NotImplementedError) as error:  # no memory; no semaphores, in some containers
        log.warning("Figures are written one after the other with everything else: no process for them (%s).", error)
        return None
    return pool


@contextmanager
def beside() -> Iterator[None]:
    """Inside, `save` hands figures over and returns; at the end all of them are written.

    Raises:
        Exception: What went wrong when a figure was written.
    """
    _open_blocks.append(None)
    try:
        yield
    finally:
        _open_blocks.pop()
        if not _open_blocks:
            _wait()


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG, in a `beside` block some time before its end.

    Args:
        figure: What to write; in a `beside` block it is not changed afterwards.
        path: See `figure_style.save`.
    """
    pool = start() if _open_blocks else None
    if pool is None:
        figure_style.save(figure, path)
        return
    try:
        _handed_over.append((figure, path, pool.submit(figure_style.save, figure, path)))
    except BrokenProcessPool:
        figure_style.save(figure, path)


def _wait() -> None:
    """Waits for all figures; what the process did not live to write, this one does."""
    while _handed_over:
        figure, path, written = _handed_over.pop(0)
        try:
            written.result()
        except BrokenProcessPool:
            log.warning("The process that writes figures has ended: %s is written without it.", path.name)
            figure_style.save(figure, path)


def _leave_signals_to_the_starter() -> None:
    """In the process that writes: it ends when its starter does, however that ends, and not by Ctrl-C before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    starter = multiprocessing.parent_process()

    def end() -> None:
        if starter is not None:
            starter.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()
