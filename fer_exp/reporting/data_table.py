"""The images of a data set, counted, as a run shows them before it trains.

Called by `experiment`.
"""

import numpy as np
from rich.table import Table

from fer_exp.dataset import Splits


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
