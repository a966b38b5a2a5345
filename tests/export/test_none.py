"""Nothing is written."""

from pathlib import Path

import keras
import numpy as np
from contracts import node

from fer_exp import config
from fer_exp.dataset import Split, Splits
from fer_exp.export import Exportable


def test_nothing_is_written_and_nothing_reported(tmp_path: Path) -> None:
    split = Split(np.zeros((1, 8, 8, 1), np.uint8), np.zeros(1, np.int64))
    splits = Splits(split, split, split, ("angry",), "", "made here")
    exportable = Exportable(keras.Model(), splits, np.ones((1, 1)), 0, lambda *_: None)
    assert config.build(node("export", "none"))(exportable, tmp_path) == []
    assert list(tmp_path.iterdir()) == []
