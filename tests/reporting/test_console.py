"""What a run says of itself: every group, and what it waits for."""

import io

from contracts import compose
from rich.console import Console

from fer_exp.config import GROUPS
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
