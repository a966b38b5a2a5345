"""A new MLflow database begins as a copy of an empty one, which the first one leaves behind."""

import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from contracts import node

from fer_exp.options import config
from fer_exp.record import mlflow_template


def opened(database: Path, cache: Path) -> mlflow.MlflowClient:
    config.build(node("tracking", "mlflow", uri=f"sqlite:///{database}", cache_dir=str(cache)))
    return mlflow.MlflowClient(f"sqlite:///{database}")


def tables(database: Path) -> dict[str, int]:
    """Rows of each table."""
    with closing(sqlite3.connect(database)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in names}


def test_the_first_database_is_made_by_mlflow_and_the_next_is_equal_without_its_going_through_all_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    opened(tmp_path / "first" / "mlflow.db", tmp_path / "cache")
    (template,) = (tmp_path / "cache").iterdir()
    assert template.name == f"mlflow-{mlflow.__version__}.db"
    assert tables(template)["experiments"] == 0

    import mlflow.store.db.utils as upgrades

    monkeypatch.setattr(upgrades, "_initialize_tables", lambda *_: pytest.fail("it was made from nothing"))
    client = opened(tmp_path / "second" / "mlflow.db", tmp_path / "cache")
    assert tables(tmp_path / "second" / "mlflow.db") == tables(tmp_path / "first" / "mlflow.db")
    found = {experiment.name: experiment.artifact_location for experiment in client.search_experiments()}
    assert found["fer_exp"] == (tmp_path / "second" / "mlartifacts").as_uri()
    assert str(tmp_path / "first") not in found["Default"]


def test_a_database_that_is_there_stays_as_it_is_and_leaves_no_template(tmp_path: Path) -> None:
    database, cache = tmp_path / "mlflow.db", tmp_path / "cache"
    client = opened(database, tmp_path / "elsewhere")
    run = client.create_run(client.get_experiment_by_name("fer_exp").experiment_id)
    assert opened(database, cache).get_run(run.info.run_id).info.status == "RUNNING"
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_costs_time_only_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    assert opened(tmp_path / "mlflow.db", tmp_path / "file").search_experiments()
    assert "An empty MLflow database cannot be kept for the next time" in caplog.text


def test_what_is_no_sqlite_file_is_left_alone(tmp_path: Path) -> None:
    with mlflow_template.used(None, tmp_path / "cache"):
        pass
    assert list(tmp_path.iterdir()) == []
