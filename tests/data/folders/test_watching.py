"""Long reading says how far it has come; quick reading is silent."""

import logging
import time

import pytest

from fer_exp.data.folders.watching import watched


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands at its only element."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def lines(clock: list[float], caplog: pytest.LogCaptureFixture, seconds: float, total: int | None) -> list[str]:
    with caplog.at_level(logging.INFO):
        for _ in watched(range(5), "rows read", each=1000, total=total):
            clock[0] += seconds
    return [record.getMessage() for record in caplog.records]


def test_a_line_is_said_every_ten_seconds(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    assert lines(clock, caplog, 6.0, 5000) == ["rows read: 2,000 of 5,000", "rows read: 4,000 of 5,000"]


def test_without_a_total_only_what_was_read_is_said(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    assert lines(clock, caplog, 11.0, None)[:2] == ["rows read: 1,000", "rows read: 2,000"]


def test_what_is_quick_is_not_spoken_of(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    assert lines(clock, caplog, 0.1, None) == []


def test_every_item_comes_through() -> None:
    assert list(watched("abc", "letters")) == ["a", "b", "c"]
