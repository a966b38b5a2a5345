"""What a run says of itself on the terminal: what is run at once, what it waits for, its result, what may come next.

Called by `__main__` before anything heavy is imported, then by `experiment` and `progress`. It only shows; it must not
decide anything.
"""

import shlex
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fer_exp.options.config import GROUPS, option_name
from fer_exp.reporting import terminal
from fer_exp.reporting.terminal import printable
from fer_exp.tracking import tracking_uri

_ALWAYS = ("lr", "epochs", "batch_size", "seed")  # which a person wants to see of every run
_PATIENCE_SECONDS = 1.5  # a shorter wait needs no words


_defaults: ContextVar[Mapping[str, Any]] = ContextVar("defaults")


@contextmanager
def beside(defaults: Mapping[str, Any]) -> Iterator[None]:
    """Lets a run that is opened inside show what is not as these values are.

    Args:
        defaults: A configuration with the same options of groups.
    """
    token = _defaults.set(defaults)
    try:
        yield
    finally:
        _defaults.reset(token)


def opened(values: Mapping[str, Any]) -> Console:
    """Returns the console of a run, which says already what is run; it remembers all that is printed.

    Args:
        values: The resolved configuration.
    """
    # As wide as the terminal, or wide enough to read in a log file.
    screen = terminal.opened(width=140, record=True)
    screen.print(Padding(Text(" ".join(f"{group}={option_name(values[group])}" for group in GROUPS)), (0, 0, 0, 2)))
    for line in differences(values, _defaults.get({})):
        screen.print(f"  {printable(line)}", soft_wrap=True, highlight=False)
    return screen


def differences(values: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Returns `key=value (default)` for each value that is not the default; the scalars of most interest always.

    Args:
        values: The resolved configuration.
        defaults: One with the same options of groups.
        prefix: What stands before the keys.
    """
    found = []
    for key, value in values.items():
        path, default = f"{prefix}{key}", defaults.get(key)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            found += differences(value, default, f"{path}.")
        elif path in _ALWAYS or (key in defaults and value != default):
            differs = key in defaults and value != default
            found.append(f"{path}={_as_typed(value)}" + (f" ({_as_typed(default)})" if differs else ""))
    return found


def _as_typed(value: Any) -> str:
    """Returns a value as yaml has it, which is how a person types it."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_as_typed, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_as_typed(inner)}' for key, inner in value.items())}}}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@contextmanager
def waiting(screen: Console, what: str) -> Iterator[None]:
    """Shows what is waited for inside: on a terminal for as long as it takes, elsewhere as a line if it takes a while.

    Args:
        screen: Where people read.
        what: Is done, for example `loading TensorFlow`.
    """
    if screen.is_terminal:
        with screen.status(Text(f"{what} ..."), refresh_per_second=4):  # latencies are measured meanwhile
            yield
        return
    line = threading.Timer(
        _PATIENCE_SECONDS, screen.print, (f"{what} ...",), {"highlight": False, "markup": False, "soft_wrap": True}
    )
    line.start()
    try:
        yield
    finally:
        line.cancel()


def next_steps(run: str, uri: str, steps: Sequence[tuple[str, str]]) -> list[Text]:
    """Returns the lines that name a run and say what a person may want to do with it, as they are typed here.

    Args:
        run: How it is called, with its id.
        uri: Where it is.
        steps: What for, and the command.
    """
    place = "" if uri == tracking_uri(None) else f" {shlex.quote(f'tracking.uri={uri}')}"
    lines = [Text(f"{run} in {uri}")]
    return [*lines, *(Text(f"  {why}: {command}{place}") for why, command in steps)]


def result_table(rows: Sequence[tuple[str, str]]) -> Table:
    """Returns the outcome of a run, one line for each finding."""
    table = Table(title="result", title_justify="left", show_header=False)
    for name, value in rows:
        table.add_row(name, Text(value))  # a class may be called [red]
    return table
