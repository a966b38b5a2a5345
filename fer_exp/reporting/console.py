"""What a run says of itself on the terminal before it starts.

Called by `experiment`. It only formats; it must not decide anything.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from fer_exp.config import GROUPS, option_name
from fer_exp.dataset import Splits


def make() -> Console:
    """Returns the console of a run: as wide as the terminal, or wide enough to read in a log file; it remembers all."""
    return Console(record=True) if sys.stdout.isatty() else Console(record=True, width=140)


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


def data_table(splits: Splits) -> Table:
    """Returns the images of each class and split."""
    height, width, channels = splits.image_shape
    table = Table(title=f"{splits.source}, {height}x{width}x{channels}", title_justify="left")
    table.add_column("class")
    columns = {"train": splits.train, "val": splits.val, "test": splits.test}
    counts = {name: np.bincount(split.labels, minlength=len(splits.class_names)) for name, split in columns.items()}
    for name in columns:
        table.add_column(name, justify="right")
    for label, class_name in enumerate(splits.class_names):
        table.add_row(class_name, *(f"{counts[name][label]:,}" for name in columns))
    table.add_section()
    table.add_row("all", *(f"{len(split):,}" for split in columns.values()))
    return table


def result_table(rows: Sequence[tuple[str, str]]) -> Table:
    """Returns the outcome of a run, one line for each finding."""
    table = Table(title="result", title_justify="left", show_header=False)
    for name, value in rows:
        table.add_row(name, value)
    return table
