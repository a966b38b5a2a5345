"""What a run says of itself: every group, and what it waits for."""

import io
import sys
import time
from pathlib import Path

import pytest
from contracts import compose
from rich.console import Console

from fer_exp.options import commandline
from fer_exp.options.config import GROUPS
from fer_exp.reporting import console
from fer_exp.tracking import tracking_uri


def printed(*parts: object) -> str:
    screen = Console(width=120, record=True, file=io.StringIO())
    screen.print(*parts)
    return screen.export_text()


def test_a_run_says_its_options_and_what_differs_from_their_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = commandline.check(["model=mobilenet_v2", "lr=0.25", "experiment=mobilenet_transfer", "name='[/b] x'"])
    assert jobs is not None
    with console.beside(jobs.defaults):
        screen = console.opened(jobs.first.model_dump())
    text = capsys.readouterr().out
    assert all(f"{group}={jobs.first.option(group)}" in text for group in GROUPS)
    assert "lr=0.25 (0.001)" in text
    assert "seed=0\n" in text
    assert "name=[/b] x (null)" in text
    assert "schedule.peak=0.25 (0.001)" in text
    assert "model.alpha=0.35 (1.0)" in text
    assert "head_units" not in text, "it is as it is by default"
    assert screen.export_text().split() == text.split(), "the console of the run remembers it"


def test_nothing_is_cut_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    values = compose(f"dataset.cache_dir=/{'long/' * 40}end")
    with console.beside(compose()):
        console.opened(values)
    assert f"/{'long/' * 40}end" in capsys.readouterr().out.replace("\n", "")


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


def test_the_next_commands_can_be_pasted_and_say_where_the_run_is_if_that_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    steps = [("predict", "python -m fer_exp.predict 0123abcd photo.jpg")]
    here = [line.plain for line in console.next_steps("run 0123abcd", tracking_uri(None), steps)]
    assert here == [f"run 0123abcd in sqlite:///{tmp_path}/mlflow.db", f"  predict: {steps[0][1]}"]
    there = [line.plain for line in console.next_steps("run 0123abcd", "http://me:***@host", steps)]
    assert there[1] == f"  predict: {steps[0][1]} 'tracking.uri=http://me:***@host'"
