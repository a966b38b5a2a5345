"""How each kind of record gets to MLflow, so that delivering it twice changes nothing.

Called by `tracking.mlflow` alone. Metrics carry the time they were measured at, which makes them the same row of the
server's table; files are overwritten; a logged model is looked for before one is made. Where a server refuses many
values, or files, in one call, each is delivered alone: one that it does not take costs no other.
"""

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import requests
import yaml
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, LoggedModelStatus, Metric, Param, RunTag
from mlflow.exceptions import MlflowException, RestException
from mlflow.models import Model
from mlflow.tracking.context.registry import resolve_tags

from fer_exp.errors import ModelError, TrackingError
from fer_exp.record.outbox import NOTHING, AwayError, Record, RefusedError, inside

_PARAMS_OR_TAGS, _METRICS = 100, 500  # in one call; a server takes 100 and 1,000
_TOO_LATE, _TOO_MANY, _SERVERS_FAULT = 408, 429, 500  # statuses of HTTP
_MOST_LETTERS = 300  # of a reason
_COLLISIONS = 8  # tries of one record
_COLLISION = re.compile("UniqueViolation|UNIQUE constraint failed|Duplicate entry")  # PostgreSQL, SQLite, MySQL
# As in "[Errno 111] Connection refused", "ConnectionResetError(104, 'Connection reset by peer')" and the like.
_OF_THE_SYSTEM = re.compile(r"""(?:\[Errno -?\d+\] |Error\(\d+, ['"]|Disconnected\(['"])([^'"()]+)""")


class Delivery:
    """Delivers the records of one run.

    Args:
        client: Of the tracking server.
        run_id: The run.
        experiment_id: Its experiment.
        folder: Of the run, where the files lie that records name.
        at_end: What a record `at_end` asks for; None where nobody knows.
    """

    def __init__(
        self,
        client: mlflow.MlflowClient,
        run_id: str,
        experiment_id: str,
        folder: Path,
        at_end: Callable[[], object] | None = None,
    ) -> None:
        self._client, self._run_id, self._experiment_id, self._folder = client, run_id, experiment_id, folder
        self._at_end = at_end
        self._kinds: dict[str, Callable[[Record], None]] = {
            "params": self._params,
            "tags": self._tags,
            "text": self._text,
            "folder": self._upload,
            "data": self._data,
            "model": self._model,
            "at_end": self._what_the_run_knows,
            "status": self._status,
            NOTHING: lambda record: None,
        }

    def __call__(self, records: Sequence[Record]) -> None:
        """Delivers records of one kind.

        Raises:
            AwayError: If the server does not answer; the same call may succeed later.
            RefusedError: If it will not.
        """
        with answered():
            if records[0]["kind"] == "metrics":
                self._metrics(records)
                return
            for record in records:
                if record["kind"] not in self._kinds:
                    raise RefusedError(f"this version does not know records of kind {record['kind']}")
                try:
                    _despite_collisions(self._kinds[record["kind"]], record)
                except (KeyError, TypeError, AttributeError, UnicodeError) as error:
                    raise RefusedError(f"the record is not what it should be: {error!r}") from error

    def _metrics(self, records: Sequence[Record]) -> None:
        entries = [
            Metric(key, float(value), record["time"], record["step"])
            for record in records
            for key, value in record["values"].items()
        ]
        _each(entries, _METRICS, lambda some: self._client.log_batch(self._run_id, metrics=some))

    def _params(self, record: Record) -> None:
        entries = [Param(key, value) for key, value in record["values"].items()]
        _each(entries, _PARAMS_OR_TAGS, lambda some: self._client.log_batch(self._run_id, params=some))

    def _tags(self, record: Record) -> None:
        entries = [RunTag(key, value) for key, value in record["values"].items()]
        _each(entries, _PARAMS_OR_TAGS, lambda some: self._client.log_batch(self._run_id, tags=some))

    def _text(self, record: Record) -> None:
        self._client.log_text(self._run_id, record["text"], record["name"])

    def _upload(self, record: Record) -> None:
        folder = inside(self._folder, record["path"])
        try:
            with answered():
                self._client.log_artifacts(self._run_id, str(folder), folder.name)
        except RefusedError:
            files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
            if not files:
                raise
            _each([_File(file, folder) for file in files], 1, lambda some: self._put(some[0]))

    def _put(self, file: "_File") -> None:
        place = file.path.parent.relative_to(file.folder.parent)
        self._client.log_artifact(self._run_id, str(file.path), place.as_posix())

    def _data(self, record: Record) -> None:
        inputs = [
            DatasetInput(Dataset(**facts), [InputTag("mlflow.data.context", context)])
            for context, facts in record["sets"].items()
        ]
        self._client.log_inputs(self._run_id, inputs)

    def _model(self, record: Record) -> None:
        folder = inside(self._folder, record["path"])
        run = self._client.get_run(self._run_id)
        outputs = [output.model_id for output in (run.outputs.model_outputs if run.outputs else [])]
        logged = self._logged_model(outputs, run.data.params)
        if logged.status == LoggedModelStatus.READY:
            return
        if logged.model_id not in outputs:
            self._client.log_outputs(self._run_id, [LoggedModelOutput(logged.model_id, step=0)])
        entries = [
            Metric(entry.key, entry.value, entry.timestamp, entry.step, model_id=logged.model_id, run_id=self._run_id)
            for entry in run.data.to_proto().metrics
            if entry.key in record["metrics"]
        ]
        _each(entries, _METRICS, lambda some: self._client.log_batch(self._run_id, metrics=some))
        # Not by `Model.load`, which takes a path for an address: a folder's name may have a `#`, a `?` or a `%`.
        saved = Model.from_dict(yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8")))
        saved.run_id, saved.model_id, saved.model_uuid = self._run_id, logged.model_id, logged.model_id
        saved.artifact_path = logged.artifact_location
        saved.save(str(folder / "MLmodel"))
        self._client.log_model_artifacts(logged.model_id, str(folder))
        self._client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)

    def _logged_model(self, outputs: Sequence[str], params: Mapping[str, str]) -> Any:
        """Returns the one that an attempt which was cut off has made, or a new one."""
        if outputs:
            return self._client.get_logged_model(outputs[0])
        made = self._client.search_logged_models([self._experiment_id], f"source_run_id = '{self._run_id}'")
        if made:
            return made[0]
        return self._client.create_logged_model(
            self._experiment_id, name="model", source_run_id=self._run_id, tags=resolve_tags(), params=dict(params)
        )

    def _what_the_run_knows(self, record: Record) -> None:
        if self._at_end is None:
            raise RefusedError("only `python -m fer_exp.sync` completes a sweep")
        try:
            self._at_end()
        except TrackingError as error:
            if isinstance(error.__cause__, (AwayError, RefusedError)):  # a question of its own was not answered
                raise error.__cause__ from error
            raise
        except ModelError as error:
            raise RefusedError(str(error)) from error

    def _status(self, record: Record) -> None:
        self._client.set_terminated(self._run_id, record["status"], record["time"])


@dataclass(frozen=True)
class _File:
    """A file of a folder that is uploaded under its own name."""

    path: Path
    folder: Path

    @property
    def key(self) -> str:
        return self.path.relative_to(self.folder.parent).as_posix()


def _each(entries: Sequence[Any], most: int, send: Callable[[Sequence[Any]], object]) -> None:
    """Delivers entries, so many in a call, and those of a call that is refused one by one.

    Args:
        entries: What is delivered; each has a `key` that tells people which it is.
        most: In one call.
        send: Makes a call.

    Raises:
        RefusedError: When all others were delivered, with what was refused.
        AwayError: If the server does not answer.
    """
    refused: list[str] = []
    for start in range(0, len(entries), most):
        together = entries[start : start + most]
        reason = _refusal(send, together)
        if reason and len(together) > 1:
            reasons = [_refusal(send, [entry]) for entry in together]
        else:
            reasons = [reason] * len(together)
        refused += [f"{entry.key}: {reason}" for entry, reason in zip(together, reasons, strict=True) if reason]
    if refused:
        more = f" and {len(refused) - 1} more of {len(entries)}" if len(refused) > 1 else ""
        raise RefusedError(f"{refused[0]}{more}")


def _refusal(send: Callable[[Sequence[Any]], object], entries: Sequence[Any]) -> str:
    """Makes a call, and returns why it was refused, or nothing."""
    try:
        with answered():
            _despite_collisions(send, entries)
    except RefusedError as error:
        return str(error)
    return ""


def _despite_collisions(deliver: Callable[[Any], object], record: Any) -> None:
    """Delivers once more where another writer has made the same row (of a data set, say) between a look and an insert.

    MLflow looks whether a data set is there and inserts it if not, without a lock: jobs of a sweep that begin in the
    same moment collide, and the database refuses all but one. The next look finds what the other has made.
    """
    for attempt in range(1, _COLLISIONS + 1):
        try:
            deliver(record)
        except MlflowException as error:
            if attempt == _COLLISIONS or not _COLLISION.search(str(error)):
                raise
            time.sleep(random.uniform(0, 0.1 * attempt))  # noqa: S311 (apart, or they collide again)
        else:
            return


@contextmanager
def answered() -> Iterator[None]:
    """Sorts what can go wrong in a call to MLflow.

    Raises:
        AwayError: If the server did not answer, failed by itself or is locked.
        RefusedError: If it answered no, or a file cannot be read or written.
    """
    try:
        yield
    except MlflowException as error:
        status = error.get_http_status_code()
        raise _sorted(status, error) from error
    except requests.HTTPError as error:
        raise _sorted(error.response.status_code if error.response is not None else _SERVERS_FAULT, error) from error
    except (requests.RequestException, ConnectionError, TimeoutError) as error:
        raise AwayError(_brief(error)) from error
    except OSError as error:
        raise RefusedError(_brief(error)) from error


def is_away(status: int) -> bool:
    """Tells whether a status of HTTP says that the same question may be answered later."""
    return status in (_TOO_LATE, _TOO_MANY) or status >= _SERVERS_FAULT


def _sorted(status: int, error: Exception) -> AwayError | RefusedError:
    if is_away(status):
        return AwayError(_brief(error), answered=status == _SERVERS_FAULT and _has_answered(error))
    return RefusedError(_brief(error))


def _has_answered(error: Exception) -> bool:
    """Tells whether a server or a database has said so: MLflow's client says 500 too where there is no connection."""
    cause = error.__cause__
    of_the_store = cause is not None and not isinstance(cause, (requests.RequestException, OSError))
    return isinstance(error, (RestException, requests.HTTPError)) or of_the_store


def _brief(error: Exception) -> str:
    """Returns one line: what the system said, where there was no connection, else the beginning of the message."""
    text = " ".join(str(error).split())
    if "timed out" in text:
        return "no answer in time"
    of_the_system = _OF_THE_SYSTEM.search(text)
    return of_the_system.group(1).strip() if of_the_system else text[:_MOST_LETTERS].rstrip(".")
