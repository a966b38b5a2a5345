"""The place where MLflow keeps runs: opened, and asked.

Called by `tracking.mlflow`. It must not know what a run records.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import requests
from filelock import FileLock
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy.exc import SQLAlchemyError

from fer_exp.errors import TrackingError
from fer_exp.process import credentials
from fer_exp.record import address, mlflow_template
from fer_exp.record.mlflow_delivery import answered, is_away
from fer_exp.record.outbox import AwayError, RefusedError
from fer_exp.run import owner
from fer_exp.tracking import Attempt, Record, database

_CALL_SECONDS = 20  # a call may take without a sign of life before the server counts as away
_PAUSE_SECONDS = 2.0
_QUESTION = "/api/2.0/mlflow/experiments/search"  # which needs the rights that a run needs, as no /health does
_FINE, _LETS_NOBODY_IN = 200, (401, 403, 407)
_MOST_LETTERS = 200  # of what a server says


def opened(
    uri: str, experiment: str, timeout_seconds: float, patience_seconds: float, cache: Path
) -> tuple[mlflow.MlflowClient, str]:
    """Opens the store and the experiment, which is made if it does not exist.

    Args:
        uri: Tracking URI, as `tracking_uri` returns it.
        experiment: Name of the experiment.
        timeout_seconds: In which a server has to answer.
        patience_seconds: How long a server that does not is asked again: a person wants to know of a wrong address at
            once, a job of a sweep whose server was there a moment ago waits for it.
        cache: Folder of an empty database, see `mlflow_template`.

    Returns:
        A client, and the id of the experiment.

    Raises:
        TrackingError: If the server does not answer, the store cannot be opened, or the experiment is deleted.
    """
    _quieten()
    whole = credentials.hand_over(credentials.whole(uri))
    if credentials.HIDDEN in whole:
        raise TrackingError(f"`tracking.uri` must have its password: this process does not know it. Received: {uri}.")
    if whole.startswith(("http://", "https://")):
        deadline = time.monotonic() + patience_seconds
        while not _answers(whole, timeout_seconds, last=time.monotonic() >= deadline):
            time.sleep(_PAUSE_SECONDS)
    mlflow.set_tracking_uri(whole)
    # First use of a database makes its tables, and two processes doing that at once break each other.
    with FileLock(_lock_path(uri, cache)):
        try:
            with mlflow_template.used(database(uri), cache):
                client = mlflow.MlflowClient(whole)
                client.get_experiment_by_name(experiment)  # the first question makes the tables
            return client, _experiment_id(client, uri, experiment)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            reason = " ".join(str(error).split())[:300]
            raise TrackingError(f"`tracking.uri` cannot be used: {reason} Received: {uri}.") from error


@contextmanager
def asked(uri: str) -> Iterator[None]:
    """Says which server did not answer, or refused, a question that the run cannot go on without.

    Raises:
        TrackingError: In place of what MLflow raises.
    """
    try:
        with answered():
            yield
    except (AwayError, RefusedError) as error:
        verb = "does not answer" if isinstance(error, AwayError) else "refuses"
        raise TrackingError(f"The tracking server {verb}: {error}. Received: tracking.uri={uri}.") from error


def as_attempt(run: mlflow.entities.Run) -> Attempt:
    """Returns what tells whether a run can be gone on with."""
    return Attempt(run.info.run_id, run.info.run_name, run.info.status, run.data.tags, run.data.metrics)


def as_record(run: mlflow.entities.Run) -> Record:
    """Returns all that is recorded of a run but its files."""
    info, data = run.info, run.data
    return Record(
        run_id=info.run_id,
        name=info.run_name,
        status=info.status,
        experiment_id=info.experiment_id,
        started=info.start_time,
        params=data.params,
        tags=data.tags,
        metrics=data.metrics,
    )


def _experiment_id(client: mlflow.MlflowClient, uri: str, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage != "active":
            raise TrackingError(f"`tracking.experiment` {name} is deleted in {uri}: restore it or rename.")
        return str(found.experiment_id)
    file = database(uri)
    location = None if file is None else (file.parent / "mlartifacts").as_uri()
    # The kind makes the UI open on runs, metrics and models instead of traces.
    tags = {"mlflow.experimentKind": "custom_model_development"}
    return str(client.create_experiment(name, artifact_location=location, tags=tags))


def _quieten() -> None:
    """Keeps MLflow from telling of every table it makes, from long tracebacks of a locked database, and from waiting.

    It would ask a server that is away eight times, for minutes, before it says so; here delivery is tried again anyway.
    """
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # the exception says the same in one line
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # fer_exp says itself where a run is
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(_CALL_SECONDS))


def _lock_path(uri: str, cache: Path) -> Path:
    file = database(uri)
    if file is not None:
        if not file.parent.is_dir():
            raise TrackingError(f"`tracking.uri` must lie in an existing folder. Received: {uri}.")
        return file.with_name(f"{file.name}.lock")
    return owner.locks(cache) / "tracking.lock"


def _answers(uri: str, timeout_seconds: float, last: bool) -> bool:
    """Asks a server what MLflow asks, with the user, token and certificates that MLflow would use.

    Raises:
        TrackingError: If it does not answer and is not asked again, lets nobody in, or is no server of MLflow's.
    """
    try:
        with answered():
            answer = http_request(
                get_default_host_creds(uri), _QUESTION, "GET", params={"max_results": 1},
                timeout=timeout_seconds, max_retries=0, raise_on_status=False,
            )  # fmt: skip
            if is_away(answer.status_code):
                raise AwayError(f"it answers {answer.status_code} {answer.reason}")
    except AwayError as error:
        if not last:
            return False
        raise address.silent(uri, timeout_seconds, f"{error}{_on_certificates(str(error))}") from error
    except RefusedError as error:
        raise TrackingError(f"`tracking.uri` cannot be asked: {error}. Received: {uri}.") from error
    if answer.status_code in _LETS_NOBODY_IN:
        raise TrackingError(
            f"`tracking.uri` must be a server that lets you in: it answers {answer.status_code} {answer.reason}"
            f"{_said(answer)}. Received: {uri}. Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
            "MLFLOW_TRACKING_TOKEN, to what it knows."
        )
    if answer.status_code != _FINE or not _is_json(answer):
        kind = answer.headers.get("Content-Type", "nothing").partition(";")[0]
        raise TrackingError(
            f"`tracking.uri` must be a server of MLflow: this one answers {answer.status_code} {answer.reason} with "
            f"{kind} to {_QUESTION}{_said(answer)}. Received: {uri}. Is a part of the path missing?"
        )
    return True


def _on_certificates(reason: str) -> str:
    if "CERTIFICATE" not in reason.upper():
        return ""
    return (
        " (MLFLOW_TRACKING_SERVER_CERT_PATH names the certificate of the server or of who signed it, "
        "MLFLOW_TRACKING_INSECURE_TLS=true asks for none)"
    )


def _is_json(answer: requests.Response) -> bool:
    try:
        return isinstance(answer.json(), dict)
    except ValueError:
        return False


def _said(answer: requests.Response) -> str:
    """Returns what a server says in words, if it does."""
    words = " ".join(answer.text[:_MOST_LETTERS].split())
    return f" ({words.rstrip('.')})" if words and "<" not in words and not words.startswith("{") else ""
