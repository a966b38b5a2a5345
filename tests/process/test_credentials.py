"""Passwords of addresses are shown nowhere, and reach whoever connects."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import processes
import pytest
from conftest import environment_for
from finished_runs import tracker_in
from mlflow_server import Server, serving

from fer_exp.errors import ConfigError, TrackingError
from fer_exp.process import credentials

ADDRESSES = {
    "http://me:pa-ss.wd@host:5000": "http://me:***@host:5000",
    "https://me:with/slash+@in.it@host/mlflow": "https://me:***@host/mlflow",
    "https://ghp_0123456789@host": "https://***@host",
    "postgresql+psycopg2://me:50%25off@host:5432/db?sslmode=require": "postgresql+psycopg2://me:***@host:5432/db?sslmode=require",
    "postgresql://host/db?user=me&password=open-sesame": "postgresql://host/db?user=me&password=***",
    "https://host/mlflow?access_token=abcdef&x=1": "https://host/mlflow?access_token=***&x=1",
    "mysql://me:quote'd@host/db": "mysql://me:***@host/db",
}
HARMLESS = (
    "http://127.0.0.1:5000", "http://host:5000/models@champion", "models:/fer@champion", "postgresql://me@host/db",
    "sqlite:////home/me:you@here/mlflow.db", "file://C:/Users/a@b/mlruns", "https://host/?page=2&tab=tokens",
    "see https://arxiv.org/abs/1904.01685 (a@b.org)", "mlflow-artifacts:/0/abc",
)  # fmt: skip


@pytest.mark.parametrize(("address", "shown"), ADDRESSES.items())
def test_an_address_is_shown_without_its_password_and_whole_for_who_connects(address: str, shown: str) -> None:
    assert credentials.put_aside(address) == shown
    assert credentials.whole(shown) == address
    assert credentials.put_aside(shown) == shown, "nothing is left to put aside"
    assert credentials.whole(shown) == address


@pytest.mark.parametrize("text", HARMLESS)
def test_a_text_without_a_password_stays_as_it_is(text: str) -> None:
    assert credentials.hidden(text) == text
    assert credentials.put_aside(text) == text
    assert credentials.KEPT_ENV not in os.environ


def test_mlflow_gets_user_and_password_beside_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "before")
    assert credentials.hand_over("https://me%40home:p%2Fw@d@host:5000/x") == "https://host:5000/x"
    assert (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]) == ("me@home", "p/w@d")
    for other in ("http://host:5000", "https://token@host", "postgresql://me:pw@host/db", "http://host:5000/a@b"):
        assert credentials.hand_over(other) == other


def test_arguments_keep_their_quotes_and_everything_else() -> None:
    words = [
        "-m",
        "lr=1e-3,1e-4",
        "tracking.uri='mysql://me:pa,ss@host/db'",
        'hydra.sweeper.storage="pg://me:x{y}@h/d"',
    ]
    assert credentials.put_aside_all(words) == [
        "-m", "lr=1e-3,1e-4", "tracking.uri='mysql://me:***@host/db'", 'hydra.sweeper.storage="pg://me:***@h/d"',
    ]  # fmt: skip
    assert credentials.whole("mysql://me:***@host/db") == "mysql://me:pa,ss@host/db"
    assert credentials.whole("pg://me:***@h/d") == "pg://me:x{y}@h/d"


def test_what_was_put_aside_is_hidden_wherever_it_stands_alone() -> None:
    credentials.put_aside("postgresql://me:p%40ssword@host/db")
    told = 'authentication failed for "me" with p@ssword (p%40ssword)'
    assert credentials.hidden(told) == 'authentication failed for "me" with *** (***)'
    credentials.put_aside("http://a:ab@host")
    assert credentials.hidden("about") == "about", "a short password may be a part of any word"


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"])
def test_passwords_of_the_environment_are_hidden_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "open-sesame")
    assert credentials.hidden_in({"text": ["open-sesame!", 3, None], "open-sesame": 1}) == {
        "text": ["***!", 3, None],
        "***": 1,
    }


def test_an_address_whose_password_nobody_knows_is_left_to_the_environment_if_it_is_a_server() -> None:
    assert credentials.whole("http://me:***@host:5000/x") == "http://host:5000/x"
    assert credentials.whole("postgresql://me:***@host/db") == "postgresql://me:***@host/db"


def test_errors_log_lines_and_tracebacks_have_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    told = "no answer from http://me:geheim-1234@host:5000/api"
    assert "geheim" not in str(TrackingError(told)) + str(ConfigError([told])) + repr(ConfigError([told]).problems)
    try:
        raise RuntimeError(told)
    except RuntimeError as error:
        record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "%s", (told,), sys.exc_info())
        credentials._without_passwords(type(error), error, error.__traceback__)
    shown = credentials.Formatter("%(message)s").format(record) + capsys.readouterr().err
    assert shown.count("http://me:***@host:5000/api") == 3
    assert "geheim" not in shown


def test_children_inherit_what_was_put_aside() -> None:
    credentials.put_aside("http://me:geheim@host")
    assert json.loads(os.environ[credentials.KEPT_ENV]) == {"http://me:***@host": "http://me:geheim@host"}
    assert credentials.KEPT_ENV in credentials.VARIABLES


PASSWORD = "geheim-7423"
SMALL = (
    "model.widths=[2,2]", "model.head_units=4", "dataset.train_size=35", "dataset.val_size=35", "dataset.test_size=70",
    "epochs=1", "export.kinds=[float32]",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serving(tmp_path_factory.mktemp("server"))


def holding(folder: Path, secret: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


@pytest.mark.whole
@pytest.mark.parametrize("more", [(), ("-m", "seed=0,1")])
def test_no_file_of_a_run_and_of_its_store_holds_the_password(
    server: Server, tmp_path: Path, more: tuple[str, ...]
) -> None:
    address = server.uri.replace("://", f"://me:{PASSWORD}@")
    done = processes.run("fer_exp", [*more, *SMALL, f"tracking.uri={address}"], tmp_path, environment_for(), 600)
    assert done.returncode == 0, done.stderr
    assert holding(tmp_path, "me:***@"), "the address is recorded, without the password"
    assert holding(tmp_path, PASSWORD) == []
    assert holding(server.folder, PASSWORD) == []
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "address",
    [
        f"http://me:{PASSWORD}@127.0.0.1:1",
        f"http://{PASSWORD}@127.0.0.1:1",
        f"postgresql+psycopg2://me:{PASSWORD}@127.0.0.1:1/x",
    ],
)
@pytest.mark.parametrize("through", ["argument", "environment"])
def test_a_store_that_cannot_be_reached_is_named_without_its_password(
    tmp_path: Path, address: str, through: str
) -> None:
    environment = environment_for(**({"MLFLOW_TRACKING_URI": address} if through == "environment" else {}))
    words = [f"tracking.uri={address}"] if through == "argument" else []
    for module, more in (("fer_exp", SMALL), ("fer_exp.doctor", ("runs",))):
        done = processes.run(module, [*more, *words], tmp_path, environment)
        assert done.returncode == 2, done.stdout
        assert "***@127.0.0.1:1" in done.stderr
        assert PASSWORD not in done.stdout + done.stderr
    assert holding(tmp_path, PASSWORD) == []


def test_a_password_in_a_yaml_file_is_refused_because_the_configuration_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "tracking").mkdir()
    (tmp_path / "tracking" / "team.yaml").write_text(f"defaults: [mlflow]\nuri: http://me:{PASSWORD}@host\n")
    done = processes.run("fer_exp", ["--config-dir", str(tmp_path), "tracking=team"], tmp_path, environment_for())
    assert done.returncode == 2
    assert "`tracking.uri` must have no password in a yaml file" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert not (tmp_path / "outputs").exists()


def test_a_traceback_of_a_run_holds_no_password(tmp_path: Path) -> None:
    credentials.put_aside(f"http://me:{PASSWORD}@host")
    tracker = tracker_in(tmp_path)
    run_id = ""

    def broken() -> None:
        nonlocal run_id
        with tracker.run("broken", {"why": PASSWORD}, {"note": PASSWORD}) as run:
            run_id = run.run_id
            run.set_tags({"more": f"at http://me:{PASSWORD}@host"})
            raise RuntimeError(f"no answer, says {PASSWORD}")

    with pytest.raises(RuntimeError):
        broken()
    record = tracker.record(run_id)
    assert record is not None
    assert (record.params["why"], record.tags["note"], record.tags["more"]) == ("***", "***", "at http://me:***@host")
    assert (
        "RuntimeError: no answer, says ***"
        in Path(str(tracker.download(run_id, "traceback.txt", tmp_path))).read_text()
    )
    assert holding(tmp_path, PASSWORD) == []
