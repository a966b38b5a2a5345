"""A run that is not there is told without MLflow; what is not known for sure is left to it."""

from pathlib import Path

import pytest
from contracts import node

from fer_exp.options import config
from fer_exp.options.grammar import sqlite
from fer_exp.record import lookup


@pytest.mark.parametrize("name", ["plain", "q?x", "a#b %20"])
def test_runs_of_mlflow_are_found_by_their_ids_and_their_beginnings(name: str, tmp_path: Path) -> None:
    file = tmp_path / name / "mlflow.db"
    file.parent.mkdir()
    tracker = config.build(node("tracking", "mlflow", uri=sqlite.uri_of(file), system_metrics=False))
    with tracker.run("a run", {}, {}) as run:
        pass
    before = file.read_bytes()
    assert not lookup.is_missing(file, run.run_id)
    assert not lookup.is_missing(file, run.run_id[:8])
    assert lookup.is_missing(file, run.run_id[::-1])
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_what_is_no_database_of_runs_is_left_to_mlflow(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    if content is not None:
        file.write_bytes(content)
    assert not lookup.is_missing(file, "0" * 32)
    assert file.exists() == (content is not None)
