"""What a run says of itself: every group, every class, every split."""

import io

import numpy as np
from contracts import compose
from rich.console import Console

from fer_exp.config import GROUPS
from fer_exp.dataset import Split, assemble
from fer_exp.reporting import console


def printed(*parts: object) -> str:
    screen = Console(width=120, record=True, file=io.StringIO())
    screen.print(*parts)
    return screen.export_text()


def test_the_tree_shows_every_group_with_its_option_and_every_value() -> None:
    text = printed(console.config_tree(compose("model=mobilenet_v2", "lr=0.25")))
    assert all(group in text for group in GROUPS)
    assert "model = mobilenet_v2" in text
    assert "lr = 0.25" in text
    assert "head_units = 256" in text


def test_the_table_counts_the_images_of_each_class_and_split() -> None:
    images = np.zeros((5, 4, 6, 3), np.uint8)
    train = Split(images, np.array([0, 0, 0, 1, 1]))
    rest = Split(images[:2], np.array([1, 1]))
    text = printed(console.data_table(assemble({"train": train, "val": rest, "test": rest}, ("cat", "dog"), "here")))
    assert "here, 4x6x3" in text
    rows = {line.split()[1]: line.split()[3:8:2] for line in text.splitlines() if line.startswith("│")}
    assert rows == {"cat": ["3", "0", "0"], "dog": ["2", "2", "2"], "all": ["5", "2", "2"]}
