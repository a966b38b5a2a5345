"""What goes wrong in a call to MLflow is either the server's affair, and tried again, or told."""

import sqlite3
from pathlib import Path
from typing import Any, cast

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import (
    BAD_REQUEST,
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    TEMPORARILY_UNAVAILABLE,
)

from fer_exp.options.grammar import sqlite
from fer_exp.record.mlflow_delivery import Delivery, answered
from fer_exp.record.outbox import AwayError, RefusedError


def http_error(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(f"{status} for url", response=response)


REFUSED = (
    "API request to http://127.0.0.1:9/api failed with exception HTTPConnectionPool(host='127.0.0.1', port=9): Max "
    "retries exceeded (Caused by NewConnectionError(\"HTTPConnection(host='127.0.0.1', port=9): Failed to establish a "
    'new connection: [Errno 111] Connection refused"))'
)
RESET = "failed with exception ('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))"
CLOSED = "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MlflowException(REFUSED), "Connection refused"),
        (MlflowException(RESET), "Connection reset by peer"),
        (MlflowException(CLOSED), "Remote end closed connection without response"),
        (MlflowException("API request failed: Read timed out. (read timeout=20)"), "no answer in time"),
        (MlflowException("(sqlite3) database is locked", TEMPORARILY_UNAVAILABLE), "(sqlite3) database is locked"),
        (RestException({"error_code": "INTERNAL_ERROR", "message": "oops."}), "INTERNAL_ERROR: oops"),
        (http_error(429), "429 for url"),
        (http_error(502), "502 for url"),
        (requests.ConnectionError("[Errno 113] No route to host"), "No route to host"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
    ],
)
def test_a_server_that_is_away_is_tried_again(error: Exception, told: str) -> None:
    with pytest.raises(AwayError) as found, answered():
        raise error
    assert str(found.value) == told


@pytest.mark.parametrize(
    "error",
    [
        MlflowException("no such metric", INVALID_PARAMETER_VALUE),
        RestException({"error_code": "PERMISSION_DENIED", "message": "not yours"}),
        MlflowException("not yours", PERMISSION_DENIED),
        http_error(403),
        http_error(404),
        PermissionError(13, "Permission denied"),
        FileNotFoundError(2, "No such file or directory"),
    ],
)
def test_a_no_is_told(error: Exception) -> None:
    with pytest.raises(RefusedError), answered():
        raise error


def test_a_defect_stays_one() -> None:
    with pytest.raises(sqlite3.ProgrammingError), answered():
        raise sqlite3.ProgrammingError("ours")


class Colliding:
    """A client whose first calls are refused because another writer was faster."""

    def __init__(self, message: str, collisions: int) -> None:
        self.message, self.collisions, self.calls = message, collisions, 0

    def log_inputs(self, run_id: str, datasets: object) -> None:
        self.calls += 1
        if self.calls <= self.collisions:
            raise MlflowException(self.message, BAD_REQUEST)


DATA = {"kind": "data", "sets": {}}


@pytest.mark.parametrize(
    "message",
    [
        '(psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint "dataset_pk"',
        "(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.experiment_id",
    ],
)
def test_two_writers_of_the_same_data_set_do_not_fail_each_other(message: str, tmp_path: Path) -> None:
    client = Colliding(message, collisions=2)
    Delivery(cast(mlflow.MlflowClient, client), "run", "1", tmp_path)([DATA])
    assert client.calls == 3


def test_what_collides_again_and_again_and_what_is_wrong_otherwise_is_told(tmp_path: Path) -> None:
    for message, calls in (("UNIQUE constraint failed: datasets", 8), ("no such run", 1)):
        client = Colliding(message, collisions=100)
        with pytest.raises(RefusedError, match=message):
            Delivery(cast(mlflow.MlflowClient, client), "run", "1", tmp_path)([DATA])
        assert client.calls == calls


class Picky:
    """A client of a server that does not take everything."""

    def __init__(self) -> None:
        self.took: list[str] = []

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        keys = [entry.key for entry in (*metrics, *params, *tags)]
        for key in keys:
            if key.endswith("!"):
                raise MlflowException(f"Invalid value {key}", INVALID_PARAMETER_VALUE)
        self.took += keys

    def log_artifacts(self, run_id: str, folder: str, path: str) -> None:
        raise http_error(400)

    def log_artifact(self, run_id: str, file: str, path: str) -> None:
        if file.endswith("!"):
            raise http_error(400)
        self.took.append(f"{path}/{Path(file).name}")


MIXED = {"lr": "1", "odd!": "2", "epochs": "3"}


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "metrics", "values": MIXED, "step": 1, "time": 0},
        {"kind": "params", "values": MIXED},
        {"kind": "tags", "values": MIXED},
    ],
)
def test_a_value_that_is_refused_costs_no_other(record: dict[str, Any], tmp_path: Path) -> None:
    client = Picky()
    with pytest.raises(RefusedError, match="^odd!: Invalid value odd!$"):
        Delivery(cast(mlflow.MlflowClient, client), "run", "1", tmp_path)([record])
    assert client.took == ["lr", "epochs"]


def test_a_file_that_is_refused_costs_no_other(tmp_path: Path) -> None:
    for name in ("a.csv", "b!", "below/c.png"):
        (tmp_path / "tables" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tables" / name).write_text("x")
    client = Picky()
    with pytest.raises(RefusedError, match=r"^tables/b!: 400 for url$"):
        Delivery(cast(mlflow.MlflowClient, client), "run", "1", tmp_path)([{"kind": "folder", "path": "tables"}])
    assert client.took == ["tables/a.csv", "tables/below/c.png"]


def test_many_refusals_are_told_in_one_line(tmp_path: Path) -> None:
    values = {f"odd{number}!": "1" for number in range(40)} | {"good": "1"}
    client = Picky()
    with pytest.raises(RefusedError, match=r"^odd0!: Invalid value odd0! and 39 more of 41$"):
        Delivery(cast(mlflow.MlflowClient, client), "run", "1", tmp_path)([{"kind": "params", "values": values}])
    assert client.took == ["good"]


@pytest.mark.parametrize(
    ("error", "answered_it"),
    [
        (RestException({"error_code": "INTERNAL_ERROR", "message": "oops."}), True),
        (http_error(500), True),
        (http_error(502), False),
        (MlflowException(REFUSED), False),
        (MlflowException("(sqlite3) database is locked", TEMPORARILY_UNAVAILABLE), False),
    ],
)
def test_a_server_that_failed_is_told_from_one_that_is_not_there(error: Exception, answered_it: bool) -> None:
    with pytest.raises(AwayError) as found, answered():
        raise error
    assert found.value.answered is answered_it


@pytest.mark.parametrize("name", ["p%20", "q?x", "a#b", "it's {x}, $y ä"])
def test_a_model_is_delivered_from_a_folder_of_any_name(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    (folder / "outbox" / "served").mkdir(parents=True)
    (folder / "outbox" / "served" / "MLmodel").write_text("artifact_path: x\nflavors: {}\nmodel_uuid: x\n")
    client = mlflow.MlflowClient(sqlite.uri_of(folder / "mlflow.db"))
    experiment = client.create_experiment("x", artifact_location=(folder / "mlartifacts").as_uri())
    run_id = client.create_run(experiment).info.run_id
    Delivery(client, run_id, experiment, folder)([{"kind": "model", "path": "outbox/served", "metrics": []}])
    (made,) = client.search_logged_models([experiment])
    assert made.status == "READY"
    assert [file.path for file in client.list_logged_model_artifacts(made.model_id)] == ["MLmodel"]
    assert {path.name for path in tmp_path.iterdir()} == {name}
