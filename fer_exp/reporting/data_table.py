"""The images of a data set, counted, as a run shows them before it trains.

Called by `experiment`.
"""

import numpy as np
from rich.table import Table
from rich.text import Text

from fer_exp.data.inputs import sentence
from fer_exp.dataset import Splits
from fer_exp.reporting.abridged import MOST_ROWS, short

_MOST_LETTERS = 60  # of a name


def data_table(splits: Splits) -> Table:
    """Returns the images of each class and split; of many classes the largest ones and the smallest ones in train."""
    table = Table(title=Text(f"{splits.source}, {sentence(splits.specs).removeprefix('image ')}"), title_justify="left")
    table.add_column("class")
    columns = {"train": splits.train, "val": splits.val, "test": splits.test}
    counts = {name: np.bincount(split.labels, minlength=len(splits.class_names)) for name, split in columns.items()}
    for name in columns:
        table.add_column(name, justify="right")
    kept, left_out = _shown(counts["train"])
    for label in kept:
        called = Text(short(splits.class_names[label], _MOST_LETTERS))
        table.add_row(called, *(f"{counts[name][label]:,}" for name in columns))
        if label == left_out:
            table.add_row(f"... {len(splits.class_names) - len(kept):,} more classes")
    table.add_section()
    table.add_row("all", *(f"{len(split):,}" for split in columns.values()))
    return table


def _shown(counts: np.ndarray) -> tuple[list[int], int]:
    """Returns the classes that have a row, and the one that others are left out after, -1 if none are."""
    if len(counts) <= MOST_ROWS:
        return list(range(len(counts))), -1
    order, half = np.argsort(-counts, kind="stable").tolist(), MOST_ROWS // 2
    return [*order[:half], *order[-half:]], order[half - 1]
