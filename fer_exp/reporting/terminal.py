"""The terminal of every command: what is printed appears as it is, whatever brackets or colons a name holds.

Called by the commands, which alone open a terminal. rich would read `[/b]` as its markup and `:x:` as a picture; styles
are given as styles here.
"""

import sys
from typing import IO

from rich.console import Console


def opened(width: int | None = None, record: bool = False, quiet: bool = False, file: IO[str] | None = None) -> Console:
    """Returns a console.

    Args:
        width: In letters, where the output is no terminal, whose width counts; None takes what rich assumes.
        record: Remember all that is printed.
        quiet: Print nothing.
        file: Where it goes; None: the standard output.
    """
    is_terminal = (file or sys.stdout).isatty()
    return Console(
        markup=False, emoji=False, width=None if is_terminal else width, record=record, quiet=quiet, file=file
    )


def printable(text: str) -> str:
    """Returns a text without the characters that steer a terminal: names of runs come from anywhere."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
