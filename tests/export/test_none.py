"""Nothing is written."""

from pathlib import Path

import numpy as np
from contracts import node

from fer_exp import config
from fer_exp.dataset import Split


def test_nothing_is_written_and_nothing_reported(tmp_path: Path) -> None:
    test = Split(np.zeros((1, 8, 8, 1), np.uint8), np.zeros(1, np.int64))
    assert config.build(node("export", "none"))(None, test, np.ones((1, 1)), ("angry",), tmp_path) == []
    assert list(tmp_path.iterdir()) == []
