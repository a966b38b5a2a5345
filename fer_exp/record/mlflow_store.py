"""The place where MLflow keeps runs: opened, and asked.

Called by `tracking.mlflow`. It must not know what a run records.
"""

import logging
import os
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from fer_exp.errors import TrackingError
from fer_exp.record import mlflow_template
from fer_exp.record.mlflow_delivery import answered
from fer_exp.record.outbox import AwayError, RefusedError
from fer_exp.tracking import Attempt, Record, database

_CALL_SECONDS = 20  # a call may take without a sign of life before the server counts as away
_PAUSE_SECONDS = 2.0


def opened(
    uri: str, experiment: str, timeout_seconds: float, patience_seconds: float, cache: Path
) -> tuple[mlflow.MlflowClient, str]:
    """Opens the store and the experiment, which is made if it does not exist.

    Args:
        uri: Tracking URI.
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
    if uri.startswith(("http://", "https://")):
        deadline = time.monotonic() + patience_seconds
        while not _answers(uri, timeout_seconds, last=time.monotonic() >= deadline):
            time.sleep(_PAUSE_SECONDS)
    mlflow.set_tracking_uri(uri)
    # First use of a database makes its tables, and two processes doing that at once break each other.
    with FileLock(_lock_path(uri)):
        try:
            with mlflow_template.used(database(uri), cache):
                client = mlflow.MlflowClient(uri)
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
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(_CALL_SECONDS))


def _lock_path(uri: str) -> Path:
    file = database(uri)
    if file is not None:
        if not file.parent.is_dir():
            raise TrackingError(f"`tracking.uri` must lie in an existing folder. Received: {uri}.")
        return file.with_name(f"{file.name}.lock")
    return Path(tempfile.gettempdir()) / f"fer_exp-{os.getuid()}-tracking.lock"


def _answers(uri: str, timeout_seconds: float, last: bool) -> bool:
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=timeout_seconds):  # noqa: S310 (checked)
            return True
    except OSError as error:
        if not last:
            return False
        raise TrackingError(
            f"`tracking.uri` must be a server that answers within {timeout_seconds:g} seconds: {error}. "
            f"Received: {uri}. Start it with `mlflow server`, or unset MLFLOW_TRACKING_URI to log into mlflow.db here."
        ) from error
