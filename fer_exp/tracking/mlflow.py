"""MLflow as the place where runs are kept; what it takes to deliver a record is in `mlflow_delivery`.

A run is opened by asking the server; from then on all it records goes into an outbox on disk, and from there to the
server in a thread of its own. Everything goes through a client, so that no global state decides where a number lands.
"""

import contextlib
import functools
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from mlflow.entities import Metric, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking.context.registry import resolve_tags
from mlflow.utils.time import get_current_time_millis
from pydantic import Field

from fer_exp.data import csv_cells
from fer_exp.errors import ConfigError, RefusedRecordsError, StorageError, TrackingError
from fer_exp.process import credentials
from fer_exp.record import layout, mlflow_store, names, outbox
from fer_exp.record.mlflow_delivery import Delivery
from fer_exp.record.mlflow_registry import MlflowRegistry
from fer_exp.record.mlflow_run import MlflowRun, ended
from fer_exp.record.mlflow_store import as_attempt, as_record, asked
from fer_exp.record.outbox import AwayError, Header, Outbox
from fer_exp.record.sender import Sender, deliver_all
from fer_exp.run import owner
from fer_exp.signature import LONG_ID
from fer_exp.tracking import Attempt, Record, tracking_uri

PARENT_ENV = "FER_EXP_PARENT_RUN"  # not MLFLOW_RUN_ID, which would make every child log into the parent
_MOST_RUNS = 5000  # a search answers with
_SYSTEM_METRICS_SECONDS = 5
_JOB_PATIENCE_SECONDS = 120.0  # at the beginning of a job of a sweep
_log = logging.getLogger(__name__)


def build(
    *,
    uri: str | None,
    experiment: str,
    system_metrics: bool,
    timeout_seconds: Annotated[float, Field(gt=0, le=86_400)],
    cache_dir: str,
) -> "MlflowTracker":
    """Builds the tracker.

    Args:
        uri: Tracking URI; null takes MLFLOW_TRACKING_URI, else `mlflow.db` in the working directory.
        experiment: Name of the MLflow experiment; made if it does not exist.
        system_metrics: Record CPU, memory, disk and network use.
        timeout_seconds: How long a server may take to answer before the run is refused, > 0, at most a day.
        cache_dir: Folder of an empty database, which a new one begins as a copy of; `~` expands.

    Raises:
        TrackingError: If the server does not answer or the store cannot be opened.
    """
    return MlflowTracker(uri, experiment, system_metrics, timeout_seconds, Path(cache_dir).expanduser())


class MlflowTracker:
    """Opens runs in one MLflow experiment. See `fer_exp.tracking.Tracker`."""

    def __init__(
        self, uri: str | None, experiment: str, system_metrics: bool, timeout_seconds: float, cache: Path
    ) -> None:
        self.uri = tracking_uri(uri)
        self._experiment, self._system_metrics = experiment, system_metrics
        patience = _JOB_PATIENCE_SECONDS if PARENT_ENV in os.environ else 0.0
        self._client, self.experiment_id = mlflow_store.opened(self.uri, experiment, timeout_seconds, patience, cache)
        self.registry = MlflowRegistry(self._client, functools.partial(asked, self.uri))

    @contextmanager
    def run(
        self,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, Any],
        run_id: str | None = None,
        folder: Path | None = None,
        at_end: Callable[[str], object] | None = None,
    ) -> Iterator[MlflowRun]:
        """Opens a run, under the sweep's parent if there is one, or goes on with one."""
        parent = os.environ.get(PARENT_ENV)
        if parent:
            tags = {**tags, "mlflow.parentRunId": parent}
        with self._open(name, tags, run_id, folder, at_end) as run, contextlib.ExitStack() as stack:
            run.log_params(params)
            if self._system_metrics:
                stack.enter_context(run.sampled(_SYSTEM_METRICS_SECONDS))
            yield run

    def unfinished(self, fingerprint: str) -> list[Attempt]:
        """Returns the runs with that tag that are not FINISHED, newest first, under the same parent if there is one."""
        with asked(self.uri):
            found = self._client.search_runs(
                [self.experiment_id],
                f"tags.fingerprint = '{fingerprint}' and attributes.status != 'FINISHED'",
                order_by=["attributes.start_time DESC"],
            )
        parent = os.environ.get(PARENT_ENV)
        return [as_attempt(run) for run in found if run.data.tags.get("mlflow.parentRunId") == parent]

    def attempt(self, run_id: str) -> Attempt | None:
        """Returns a run, if there is one."""
        with asked(self.uri):
            try:
                return as_attempt(self._client.get_run(self._whole(run_id)))
            except MlflowException as error:
                if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                    return None
                raise

    def sweep(self, fingerprint: str) -> Attempt | None:
        """Returns the newest parent run with that tag, if there is one."""
        with asked(self.uri):
            found = self._client.search_runs(
                [self.experiment_id],
                f"tags.fingerprint = '{fingerprint}'",
                order_by=["attributes.start_time DESC"],
                max_results=1,
            )
        return as_attempt(found[0]) if found else None

    @contextmanager
    def parent(
        self,
        name: str,
        tags: Mapping[str, Any],
        run_id: str | None = None,
        at_end: Callable[[str], object] | None = None,
    ) -> Iterator[MlflowRun]:
        """Opens the parent of a sweep; runs opened inside become its children, in this process and below."""
        with self._open(name, tags, run_id, at_end=at_end or _nothing, must_arrive=True) as open_run:
            os.environ[PARENT_ENV] = open_run.run_id
            try:
                yield open_run
            finally:
                del os.environ[PARENT_ENV]

    def deliver(self, folder: Path, at_end: Callable[[str], object] | None = None) -> int:
        """Delivers what is left in the outbox of a folder, and removes the outbox."""
        kept = outbox.read(folder)
        if kept is None:
            shutil.rmtree(folder / layout.OUTBOX)
            return 0
        header, box = kept.header, Outbox(folder, kept.header)
        at_the_end = functools.partial(at_end, header.run_id) if at_end else None
        delivery = Delivery(self._client, header.run_id, header.experiment_id, folder, at_the_end)
        try:
            refused = deliver_all(kept, delivery, box.mark)
        except AwayError as error:
            raise TrackingError(f"The tracking server {self.uri} does not answer: {error}.") from error
        finally:
            box.close()
        if refused:
            more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
            raise RefusedRecordsError(
                f"The tracking server refused {refused[0]}{more} (in {folder / layout.OUTBOX}). To do without a "
                f'record, put {{"kind": "{outbox.NOTHING}"}} in the place of its line.'
            )
        box.remove()
        return len(kept.records)

    def _whole(self, run_id: str) -> str:
        """Returns the id of the one run that begins so; what no run begins with, as it is."""
        if len(run_id) >= LONG_ID:
            return run_id
        experiments = [found.experiment_id for found in self._client.search_experiments()]
        runs = self._client.search_runs(experiments, f"attributes.run_id LIKE '{run_id}%'", max_results=2)
        if len(runs) > 1:
            named = " and ".join(f"{run.info.run_id} ({run.info.run_name})" for run in runs)
            raise ConfigError([f"`{run_id}` must be the beginning of one run's id alone. It is that of {named}."])
        return str(runs[0].info.run_id) if runs else run_id

    @contextmanager
    def _open(
        self,
        name: str,
        tags: Mapping[str, Any],
        run_id: str | None = None,
        folder: Path | None = None,
        at_end: Callable[[str], object] | None = None,
        must_arrive: bool = False,
    ) -> Iterator[MlflowRun]:
        left = folder or (_room_of(run_id) if run_id else None)
        resumed = run_id is not None
        if left is not None and outbox.exists(left):
            try:
                self.deliver(left, at_end)
            except RefusedRecordsError as error:
                if not resumed:  # they are of another run, whose outbox they stay in
                    raise
                _log.warning("%s They are kept, and the run goes on without them.", error)
        run_id = self._begin(name, tags, run_id)
        header = Header(
            self.uri, self._experiment, self.experiment_id, run_id, name, tags.get("mlflow.parentRunId", "")
        )
        with _room(run_id, folder) as room:
            at_the_end = functools.partial(at_end, run_id) if at_end else None
            delivery = Delivery(self._client, run_id, self.experiment_id, room, at_the_end)
            try:
                sender = Sender(Outbox(room, header), delivery)
            except StorageError:
                self._client.set_terminated(run_id, "FAILED")  # it could not record anything
                raise
            run = MlflowRun(self._client, run_id, self.experiment_id, room, sender.put, sender.keep)
            with ended(run, sender, header, at_the_end is not None, must_arrive):
                if resumed:
                    with asked(self.uri):
                        run.read_what_is_logged()
                yield run

    def _begin(self, name: str, tags: Mapping[str, Any], run_id: str | None) -> str:
        """Makes a run with all its tags in one call, so that it is whole or not there; or opens one again."""
        marked = credentials.hidden_in(names.texts({**tags, **owner.mark()}))
        with asked(self.uri):
            if run_id is None:
                made = self._client.create_run(
                    self.experiment_id, run_name=name, tags=credentials.hidden_in(resolve_tags(marked))
                )
                return str(made.info.run_id)
            self._client.update_run(run_id, "RUNNING")
            self._client.log_batch(run_id, tags=[RunTag(key, value) for key, value in marked.items()])
            return run_id

    def children(self, parent_id: str) -> pd.DataFrame:
        """Returns one row for each child of a parent run."""
        with asked(self.uri):
            runs = self._client.search_runs(
                [self.experiment_id], f"tags.`mlflow.parentRunId` = '{parent_id}'", max_results=_MOST_RUNS
            )
        return pd.DataFrame(
            [
                {
                    "run_id": r.info.run_id,
                    "name": r.info.run_name,
                    "status": r.info.status,
                    **r.data.tags,
                    **r.data.metrics,
                }
                for r in runs
            ]
        )

    def running(self) -> pd.DataFrame:
        """Returns the runs of all experiments that say RUNNING."""
        return self._of_status("RUNNING")

    def finished(self) -> pd.DataFrame:
        """Returns the runs of all experiments that say FINISHED."""
        return self._of_status("FINISHED")

    def _of_status(self, status: str) -> pd.DataFrame:
        experiments = [experiment.experiment_id for experiment in self._client.search_experiments()]
        runs = self._client.search_runs(experiments, f"attributes.status = '{status}'", max_results=_MOST_RUNS)
        rows = [
            (r.info.run_id, r.info.run_name, pd.Timestamp(r.info.start_time, unit="ms", tz="UTC"), r.data.tags)
            for r in runs
        ]
        return pd.DataFrame(rows, columns=["run_id", "name", "started", "tags"])

    def kill(self, run_id: str) -> None:
        """Gives a run that nobody ends any more the status KILLED."""
        self._client.set_terminated(run_id, "KILLED")

    def log_table(self, run_id: str, table: pd.DataFrame, name: str, note: str) -> None:
        """Records a table as CSV and JSON (which the UI shows as a table), and a note as the description."""
        shown = [{"path": f"{name}.json", "type": "table"}]
        with asked(self.uri):  # not by `client.log_table`, which adds the rows to those of an earlier call
            self._client.log_text(run_id, table.to_json(orient="split", index=False), f"{name}.json")
            self._client.set_tag(run_id, "mlflow.loggedArtifacts", json.dumps(shown))
            self._client.log_text(run_id, csv_cells.safe(table).to_csv(index=False), f"{name}.csv")
            self._client.set_tag(run_id, "mlflow.note.content", note)

    def log_summary(self, run_id: str, tags: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Records tags and numbers of a run that may have ended; a number that is there already is not repeated."""
        with asked(self.uri):
            known = self._client.get_run(run_id).data.metrics
            now = get_current_time_millis()
            measured = names.keyed(metrics)
            entries = [Metric(key, float(value), now, 0) for key, value in measured.items() if known.get(key) != value]
            self._client.log_batch(run_id, entries, tags=[RunTag(key, text) for key, text in names.texts(tags).items()])

    def record(self, run_id: str) -> Record | None:
        """Returns a run with its params and metrics, if there is one that is not deleted."""
        try:
            run = self._client.get_run(self._whole(run_id))
        except MlflowException as error:
            if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                return None
            raise
        return as_record(run) if run.info.lifecycle_stage == "active" else None

    def child_records(self, parent_id: str) -> list[Record]:
        """Returns the children of a sweep's parent, in whatever experiment it is, the oldest first."""
        experiment_id = self._client.get_run(parent_id).info.experiment_id
        runs = self._client.search_runs(
            [experiment_id],
            f"tags.`mlflow.parentRunId` = '{parent_id}'",
            order_by=["attributes.start_time ASC"],
            max_results=_MOST_RUNS,
        )
        return [as_record(run) for run in runs]

    def download(self, run_id: str, path: str, folder: Path) -> Path | None:
        """Copies a recorded file into a folder and returns where it is now; None if the run has no such file."""
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # one for each file, on the terminal
        if path not in {entry.path for entry in self._client.list_artifacts(run_id, str(Path(path).parent))}:
            return None
        return Path(self._client.download_artifacts(run_id, path, str(folder)))

    def add_folder(self, run_id: str, folder: Path, name: str) -> None:
        """Uploads a folder under another name to a run, open or not."""
        with asked(self.uri):
            self._client.log_artifacts(run_id, str(folder), name)


@contextmanager
def _room(run_id: str, folder: Path | None) -> Iterator[Path]:
    """Gives a run whose caller has no folder for it one of its own, for as long as its outbox needs it."""
    if folder is not None:
        yield folder.absolute()
        return
    room = _room_of(run_id)
    room.mkdir(parents=True, exist_ok=True)
    lock = owner.lock(room)
    if lock is None:
        raise TrackingError(f"Another process is at work in the run's folder {room}.")
    try:
        yield room
    finally:
        lock.release()
        if not outbox.exists(room):
            shutil.rmtree(room)


def _room_of(run_id: str) -> Path:
    return Path("outputs", run_id).absolute()


def _nothing(run_id: str) -> None:
    """What is to be done at the end of a sweep of which nobody wants a leaderboard."""
