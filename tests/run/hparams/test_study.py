"""The database of a search is found wherever a command is given, and its password stays secret."""

from pathlib import Path

import pytest
import sqlalchemy

from fer_exp.errors import ConfigError
from fer_exp.run.hparams import study
from fer_exp.run.hparams.search_space import Choice, Interval


def test_the_default_is_a_file_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert study.url_of(None) == f"sqlite:///{tmp_path}/optuna.db"
    assert study.url_of("sqlite:///sub/o.db") == f"sqlite:///{tmp_path}/sub/o.db"
    assert study.url_of("postgresql://host/optuna") == "postgresql://host/optuna"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "Could not parse SQLAlchemy URL"),
        ("nosuch://me:secret@host/optuna", "Can't load plugin"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_in_one_line(url: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study.open_storage(url)
    (problem,) = caught.value.problems
    assert problem.startswith("`hydra.sweeper.storage` must be a database that can be used:")
    assert reason in problem
    assert "secret" not in problem
    assert "\n" not in problem


def test_a_folder_that_does_not_exist_is_not_made() -> None:
    with pytest.raises(
        ConfigError, match="`hydra.sweeper.storage` must lie in an existing folder. Received: sqlite:////no"
    ):
        study.open_storage("sqlite:////nowhere/optuna.db")
    assert not Path("/nowhere").exists()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "optuna.db").write_text("something else " * 100)
    with pytest.raises(ConfigError, match="file is not a database"):
        study.open_storage(f"sqlite:///{tmp_path}/optuna.db")


def test_the_database_of_the_runs_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/mlflow.db")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE experiments (name TEXT)"))
    with pytest.raises(ConfigError, match="must be a database of its own, not the one that MLflow keeps runs in"):
        study.open_storage(f"sqlite:///{tmp_path}/mlflow.db")
    assert sqlalchemy.inspect(engine).get_table_names() == ["experiments"]


def test_values_are_drawn_from_what_was_given() -> None:
    import optuna

    study.open_storage("sqlite://")
    drawn = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space = {
        "log": Interval(1e-4, 1.0, log=True),
        "float": Interval(0.0, 1.0),
        "step": Interval(0.0, 0.4, step=0.1),
        "int": Interval(2, 8, step=3),
        "choice": Choice(("a", "b")),
    }
    trials = [drawn.ask({key: study.distribution(values) for key, values in space.items()}).params for _ in range(200)]
    assert {row["int"] for row in trials} == {2, 5, 8}
    assert {round(row["step"], 6) for row in trials} == {0.0, 0.1, 0.2, 0.3, 0.4}
    assert {row["choice"] for row in trials} == {"a", "b"}
    assert 0.35 < sum(row["log"] < 1e-2 for row in trials) / 200 < 0.65, "half of the orders of magnitude"
    assert 0.35 < sum(row["float"] < 0.5 for row in trials) / 200 < 0.65
