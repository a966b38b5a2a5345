"""What a run says of itself: every group, and what it waits for."""

import io
import time

import pytest
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


def test_a_wait_is_told_where_there_is_no_terminal_if_it_takes_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_PATIENCE_SECONDS", 0.01)
    screen = Console(width=120, record=True, file=io.StringIO())
    with console.waiting(screen, "loading [TensorFlow]"):
        deadline = time.monotonic() + 60
        while not screen.export_text(clear=False) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert screen.export_text() == "loading [TensorFlow] ...\n"


def test_a_short_wait_and_one_that_fails_leave_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(width=120, record=True, file=io.StringIO())
    with console.waiting(screen, "loading"):
        pass
    with pytest.raises(KeyError), console.waiting(screen, "loading"):
        raise KeyError
    assert screen.export_text() == ""


def test_a_terminal_shows_it_for_as_long_as_it_takes() -> None:
    screen = Console(width=120, force_terminal=True, file=io.StringIO())
    with console.waiting(screen, "loading"):
        pass
    assert "loading ..." in screen.file.getvalue()  # type: ignore[attr-defined]
    assert not screen._live_stack
