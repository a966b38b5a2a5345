"""What goes wrong in a call to MLflow is either the server's affair, and tried again, or told."""

import sqlite3

import pytest
import requests
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, PERMISSION_DENIED, TEMPORARILY_UNAVAILABLE

from fer_exp.mlflow_delivery import answered
from fer_exp.outbox import AwayError, RefusedError


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
