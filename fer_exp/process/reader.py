"""A command whose output nobody reads any more: `python -m fer_exp --help | head`.

Called by the commands around all they do.
"""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_EXIT_CODE = 141  # of a process that SIGPIPE ends, which Python ignores


@contextmanager
def ends_with_reader() -> Iterator[None]:
    """Ends the process without a word when the standard output is a pipe that was closed at its other end."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not _is_unread(sys.stdout.fileno()):
            raise  # another pipe, of which somebody should know
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more
        sys.exit(_EXIT_CODE)


def _is_unread(stream: int) -> bool:
    poll = select.poll()
    poll.register(stream, select.POLLOUT)
    return any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0))
