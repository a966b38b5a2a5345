"""What a run says of itself on the terminal: its configuration at once, what it waits for, and its result.

Called by `__main__` before anything heavy is imported, then by `experiment` and `training`. It only shows; it must not
decide anything.
"""

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from fer_exp.config import GROUPS, option_name

_PATIENCE_SECONDS = 1.5  # a shorter wait needs no words


def opened(values: Mapping[str, Any]) -> Console:
    """Returns the console of a run, on which its configuration stands already; it remembers all that is printed.

    Args:
        values: The resolved configuration.
    """
    # As wide as the terminal, or wide enough to read in a log file.
    screen = Console(record=True) if sys.stdout.isatty() else Console(record=True, width=140)
    screen.print(config_tree(values))
    return screen


@contextmanager
def waiting(screen: Console, what: str) -> Iterator[None]:
    """Shows what is waited for inside: on a terminal for as long as it takes, elsewhere as a line if it takes a while.

    Args:
        screen: Where people read.
        what: Is done, for example `loading TensorFlow`.
    """
    if screen.is_terminal:
        with screen.status(f"{what} ...", refresh_per_second=4):  # latencies are measured meanwhile
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


def config_tree(values: Mapping[str, Any]) -> Tree:
    """Returns the configuration as a tree: scalars first, then one branch for each group.

    Args:
        values: The resolved configuration.
    """
    tree = Tree("[bold]experiment")
    for key, value in values.items():
        if key not in GROUPS:
            tree.add(f"{key} = [cyan]{value}")
    for group in GROUPS:
        branch = tree.add(f"[bold]{group}[/bold] = [green]{option_name(values[group])}")
        for key, value in values[group].items():
            if key != "_target_":
                branch.add(f"{key} = [cyan]{value}")
    return tree


def result_table(rows: Sequence[tuple[str, str]]) -> Table:
    """Returns the outcome of a run, one line for each finding."""
    table = Table(title="result", title_justify="left", show_header=False)
    for name, value in rows:
        table.add_row(name, value)
    return table
