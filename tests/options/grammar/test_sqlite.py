"""A database lies where its address says, whatever letters its folder's name has."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from fer_exp.options.grammar import sqlite

ODD = ["plain", "it's", "p%20", "q?x", "q?x=1", "a#b", "a{b}", "a,b", "$x", "a b", "ä", "a&b", "a+b", "100%", "file:x"]


@pytest.mark.parametrize("parameters", ["", "timeout=60"])
@pytest.mark.parametrize("name", ODD)
def test_sqlalchemy_opens_the_file_that_is_meant(name: str, parameters: str, tmp_path: Path) -> None:
    file = tmp_path / name / "runs.db"
    file.parent.mkdir()
    uri = sqlite.uri_of(file, parameters)
    engine = create_engine(uri)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE runs (id INTEGER)"))
    engine.dispose()
    with closing(sqlite3.connect(file)) as opened:
        assert opened.execute("SELECT name FROM sqlite_master").fetchall() == [("runs",)]
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert sqlite.file_of(uri) == file
    assert sqlite.absolute(uri) == uri


def test_a_usual_path_keeps_its_usual_address() -> None:
    assert sqlite.uri_of(Path("/runs/mlflow.db")) == "sqlite:////runs/mlflow.db"


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("sqlite:///mlflow.db", "mlflow.db"),
        ("sqlite:////runs/mlflow.db?timeout=3&x=y", "/runs/mlflow.db"),
        ("sqlite:///q?x/mlflow.db", "q?x/mlflow.db"),  # as a person types it
        ("sqlite+pysqlite:///a.db", "a.db"),
        ("sqlite:///a%20b/m.db", "a b/m.db"),  # as SQLAlchemy reads it
        ("sqlite:///file:///runs/a%253Fb.db?uri=true", "/runs/a?b.db"),
    ],
)
def test_an_address_names_its_file(uri: str, file: str) -> None:
    assert sqlite.file_of(uri) == Path(file)


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "http://host", "postgresql://h/db"])
def test_what_is_no_file_stays_as_it_is(uri: str) -> None:
    assert sqlite.file_of(uri) is None
    assert sqlite.absolute(uri) == uri


def test_a_relative_path_does_not_follow_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert sqlite.absolute("sqlite:///a?b/m.db") == sqlite.uri_of(tmp_path / "a?b" / "m.db")
    assert sqlite.absolute("sqlite:///~/m.db?timeout=3") == "sqlite:////home/me/m.db?timeout=3"
