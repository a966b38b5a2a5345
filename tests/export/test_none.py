"""Nothing is written."""

from pathlib import Path

from contracts import node
from exportables import small

from fer_exp.options import config


def test_nothing_is_written_and_nothing_reported(tmp_path: Path) -> None:
    assert config.build(node("export", "none"))(small(), tmp_path) == []
    assert list(tmp_path.iterdir()) == []
