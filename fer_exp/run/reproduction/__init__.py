"""`python -m fer_exp reproduce=<run id>`: a finished run once more, and whether the numbers agree.

`reproduce` is a word of the command line, no key of the configuration: it stands for the whole configuration of a run,
and a run that repeats another must have the same configuration. `__main__` asks here before Hydra does; `request` finds
the run, `experiment` trains it and is given it by `current`, `comparison` tells what came of it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fer_exp.run.reproduction.request import Source

WORD = "reproduce"
_current: ContextVar["Source | None"] = ContextVar("reproduced", default=None)


def is_asked(arguments: Sequence[str]) -> bool:
    """Tells whether a command line asks for a run to be repeated."""
    return any(word.lstrip("+~").partition("=")[0] == WORD for word in arguments)


def current() -> "Source | None":
    """Returns what the run that is going on repeats."""
    return _current.get()


@contextmanager
def of(source: "Source | None") -> Iterator[None]:
    """Lets the runs inside repeat a source."""
    token = _current.set(source)
    try:
        yield
    finally:
        _current.reset(token)
