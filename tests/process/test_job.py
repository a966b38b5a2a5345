"""What a process may use of its machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

from fer_exp import process
from fer_exp.process import job


@pytest.fixture
def _one_core() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("_one_core")
def test_cores_are_those_that_a_scheduler_leaves() -> None:
    assert process.cores() == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max 100000", 8),
        ("300000 100000", 3),
        ("250000 100000", 3),
        ("50000 100000", 1),
        ("9000000 100000", 8),
        ("", 8),
        ("300000 0x", 8),
    ],
)
def test_cores_are_those_that_a_container_has_time_on(
    text: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    (tmp_path / "cpu.max").write_text(text)
    assert job.cores(tmp_path / "cpu.max") == expected
    assert job.cores(tmp_path / "missing") == 8


def test_nobody_else_counts_cores() -> None:
    """The number of a whole machine starts 128 trainings on four cores of it."""
    counting = {path.name for path in (ROOT / "fer_exp").rglob("*.py") if "cpu_count" in path.read_text()}
    assert counting == {"job.py"}
