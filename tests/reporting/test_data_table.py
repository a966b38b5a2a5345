"""The images of a data set, counted."""

import io

import numpy as np
from rich.console import Console

from fer_exp.dataset import Split, assemble
from fer_exp.reporting import data_table


def test_the_table_counts_the_images_of_each_class_and_split() -> None:
    images = np.zeros((5, 4, 6, 3), np.uint8)
    train = Split.of_images(images, np.array([0, 0, 0, 1, 1]))
    rest = Split.of_images(images[:2], np.array([1, 1]))
    screen = Console(width=120, record=True, file=io.StringIO())
    splits = assemble({"train": train, "val": rest, "test": rest}, ("cat", "dog"), "here")
    screen.print(data_table.data_table(splits))
    text = screen.export_text()
    assert "here, 4x6x3" in text
    rows = {line.split()[1]: line.split()[3:8:2] for line in text.splitlines() if line.startswith("│")}
    assert rows == {"cat": ["3", "0", "0"], "dog": ["2", "2", "2"], "all": ["5", "2", "2"]}
