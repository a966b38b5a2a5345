"""What goes wrong in a call to MLflow is either the server's affair, and tried again, or told."""

import sqlite3
from pathlib import Path
from typing import cast

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
