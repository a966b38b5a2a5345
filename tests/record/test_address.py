"""Addresses that cannot be tracking stores are told in a sentence each, with what was probably meant."""

import socket
from pathlib import Path

import pytest

from fer_exp.errors import TrackingError
from fer_exp.record import address


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("MLFLOW_ALLOW_FILE_STORE", "http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)


def refusal(uri: str) -> str:
    with pytest.raises(TrackingError) as caught:
        address.check(uri)
    said = str(caught.value)
    assert said.startswith("`tracking.uri` must ")
    assert said.endswith(f" Received: tracking.uri={uri}.")
    return said


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("", "not be empty: unset it, and runs go to mlflow.db in the working directory"),
        ("  ", "not be empty"),
        ("localhost:5000", "for example http://localhost:5000."),
        ("127.0.0.1:5000", "for example http://127.0.0.1:5000."),
        ("mlflow-host", "for example http://mlflow-host."),
        ("mlflow.db", "for example sqlite:///mlflow.db."),
        ("./mlruns", "MLflow no longer keeps runs in folders"),
        ("file:/runs", "MLflow no longer keeps runs in folders"),
        ("sqlite://", "name a file, because a database in memory is gone with the process: sqlite:///mlflow.db."),
        ("sqlite:///", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:mlflow.db", "have three slashes before a relative path"),
        ("sqlite://mlflow.db", "sqlite:///mlflow.db."),
        ("postgresql+foo://host/db", "be an address that SQLAlchemy can read"),
        ("postgres://host/db", "Did you mean postgresql://host/db?"),
        ("sqllite:///x.db", "Did you mean sqlite:///x.db?"),
        ("htp://host", "Did you mean http://host?"),
        ("s3://bucket/runs", "and not with s3:."),
        ("http://", "name a host"),
        ("http:/host:5000", "name a host"),
        ("http://host:99999", "be the address of a server, http://host:port: Port out of range"),
        ("http://[::1", "be the address of a server"),
    ],
)
def test_an_address_that_is_none_is_told_with_what_is_meant(uri: str, said: str) -> None:
    assert said in refusal(uri)


@pytest.mark.parametrize("uri", ["mysql://host/db", "mssql+pyodbc://host/db"])
def test_a_database_without_its_driver_names_the_package(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "_is_installed", lambda module: False)
    said = refusal(uri)
    assert "be a database whose driver is installed" in said
    assert "pip install" in said


def test_a_database_named_without_a_driver_gets_one_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "_is_installed", lambda module: module == "pymysql")
    assert "name a driver that is installed: mysql+pymysql://host/db." in refusal("mysql://host/db")


@pytest.mark.parametrize(
    "uri",
    ["http://host", "https://me:secret@host:5000/mlflow", "HTTP://host", "sqlite:///mlflow.db", "databricks",
     "databricks://profile", "sqlite:///q?x/mlflow.db"],
)  # fmt: skip
def test_what_may_be_a_store_passes(uri: str) -> None:
    address.check(uri)


def test_folders_pass_where_mlflow_was_told_to_allow_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    address.check("./mlruns")
    address.check("file:/runs")


def test_a_certificate_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", "no.pem")
    assert "there is no no.pem, which MLFLOW_TRACKING_SERVER_CERT_PATH names" in refusal("https://host")


def test_a_server_that_nobody_listens_at_is_refused_and_one_that_listens_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        address.check_listening(f"http://127.0.0.1:{port}/path", 5.0)
    with pytest.raises(TrackingError, match="must be a server that answers within 5 seconds: .*refused"):
        address.check_listening(f"http://me:secret@127.0.0.1:{port}", 5.0)


def test_behind_a_proxy_only_mlflow_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    address.check_listening("http://mlflow-host.invalid:5000", 5.0)
    monkeypatch.setenv("no_proxy", "mlflow-host.invalid")
    with pytest.raises(TrackingError):
        address.check_listening("http://mlflow-host.invalid:5000", 5.0)
