"""MLflow: the only module that imports it.

Runs are opened through MLflow's fluent interface, which system metrics and models need; everything else goes through
a client bound to the run, so that no global state decides where a number lands.
"""

import logging
import os
import tempfile
import traceback
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
from filelock import FileLock
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.types import Schema, TensorSpec
from mlflow.utils.time import get_current_time_millis
from sqlalchemy.exc import SQLAlchemyError

from fer_exp import owner
from fer_exp.dataset import Splits
from fer_exp.errors import TrackingError
from fer_exp.signature import PositiveFloat
from fer_exp.tracking import Attempt, database, tracking_uri

if TYPE_CHECKING:
    import keras

PARENT_ENV = "FER_EXP_PARENT_RUN"  # not MLFLOW_RUN_ID, which would make every child log into the parent
_BATCH = 100  # most params or tags a server takes at once
_MOST_RUNS = 5000  # a search answers with
_SYSTEM_METRICS_SECONDS = 5


def build(*, uri: str | None, experiment: str, system_metrics: bool, timeout_seconds: PositiveFloat) -> "MlflowTracker":
    """Builds the tracker.

    Args:
        uri: Tracking URI; null takes MLFLOW_TRACKING_URI, else `mlflow.db` in the working directory.
        experiment: Name of the MLflow experiment; made if it does not exist.
        system_metrics: Record CPU, memory, disk and network use.
        timeout_seconds: How long a server may take to answer before the run is refused, > 0.

    Raises:
        TrackingError: If the server does not answer or the store cannot be opened.
    """
    return MlflowTracker(uri, experiment, system_metrics, timeout_seconds)


class MlflowTracker:
    """Opens runs in one MLflow experiment. See `fer_exp.tracking.Tracker`."""

    def __init__(self, uri: str | None, experiment: str, system_metrics: bool, timeout_seconds: float) -> None:
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of every table it makes
        self.uri = tracking_uri(uri)
        self._system_metrics = system_metrics
        if self.uri.startswith(("http://", "https://")):
            _require_answer(self.uri, timeout_seconds)
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_system_metrics_sampling_interval(_SYSTEM_METRICS_SECONDS)
        # First use of a database makes its tables, and two processes doing that at once break each other.
        with FileLock(_lock_path(self.uri)):
            try:
                self._client = mlflow.MlflowClient(self.uri)
                self._experiment_id = self._open_experiment(experiment)
            except (MlflowException, SQLAlchemyError, OSError) as error:
                reason = " ".join(str(error).split())[:300]
                raise TrackingError(f"`tracking.uri` cannot be used: {reason} Received: {self.uri}.") from error

    def _open_experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            if found.lifecycle_stage != "active":
                raise TrackingError(f"`tracking.experiment` {name} is deleted in {self.uri}: restore it or rename.")
            return str(found.experiment_id)
        file = database(self.uri)
        location = None if file is None else (file.parent / "mlartifacts").as_uri()
        # The kind makes the UI open on runs, metrics and models instead of traces.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        return str(self._client.create_experiment(name, artifact_location=location, tags=tags))

    @contextmanager
    def run(
        self, name: str, params: Mapping[str, Any], tags: Mapping[str, Any], run_id: str | None = None
    ) -> Iterator["MlflowRun"]:
        """Opens a run, under the sweep's parent if there is one, or goes on with one."""
        parent = os.environ.get(PARENT_ENV)
        if parent:
            tags = {**tags, "mlflow.parentRunId": parent}
        with self._open(name, tags, run_id) as run:
            if run_id is None:
                run.log_params(params)
            yield run

    def unfinished(self, fingerprint: str) -> list[Attempt]:
        """Returns the runs with that tag that are not FINISHED, newest first, under the same parent if there is one."""
        found = self._client.search_runs(
            [self._experiment_id],
            f"tags.fingerprint = '{fingerprint}' and attributes.status != 'FINISHED'",
            order_by=["attributes.start_time DESC"],
        )
        parent = os.environ.get(PARENT_ENV)
        return [_as_attempt(run) for run in found if run.data.tags.get("mlflow.parentRunId") == parent]

    def attempt(self, run_id: str) -> Attempt | None:
        """Returns a run, if there is one."""
        try:
            return _as_attempt(self._client.get_run(run_id))
        except MlflowException as error:
            if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                return None
            raise

    def sweep(self, fingerprint: str) -> Attempt | None:
        """Returns the newest parent run with that tag, if there is one."""
        found = self._client.search_runs(
            [self._experiment_id],
            f"tags.fingerprint = '{fingerprint}'",
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )
        return _as_attempt(found[0]) if found else None

    @contextmanager
    def parent(self, name: str, tags: Mapping[str, Any], run_id: str | None = None) -> Iterator["MlflowRun"]:
        """Opens the parent of a sweep; runs opened inside become its children, in this process and below."""
        tags = {**tags, **owner.mark()}
        if run_id is None:
            run_id = self._client.create_run(self._experiment_id, run_name=name, tags=_as_text(tags)).info.run_id
            open_run = MlflowRun(self._client, run_id, self._experiment_id)
        else:
            open_run = MlflowRun(self._client, run_id, self._experiment_id)
            open_run.set_tags(tags)
            self._client.update_run(run_id, status="RUNNING")
        os.environ[PARENT_ENV] = open_run.run_id
        status = "KILLED"
        try:
            yield open_run
            status = "FINISHED"
        except Exception:
            status = "FAILED"
            open_run.log_text(traceback.format_exc(), "traceback.txt")
            raise
        finally:
            del os.environ[PARENT_ENV]
            self._client.set_terminated(open_run.run_id, status)

    @contextmanager
    def _open(self, name: str, tags: Mapping[str, Any], run_id: str | None) -> Iterator["MlflowRun"]:
        active = mlflow.start_run(
            run_id=run_id,
            experiment_id=self._experiment_id,
            run_name=None if run_id else name,
            tags=_as_text({**tags, **owner.mark()}),
            log_system_metrics=self._system_metrics,
        )
        run = MlflowRun(self._client, active.info.run_id, self._experiment_id)
        status = "KILLED"  # whatever is no Exception is an interrupt
        try:
            if run_id:
                run.read_what_is_logged()
            yield run
            status = "FINISHED"
        except Exception:
            status = "FAILED"
            run.log_text(traceback.format_exc(), "traceback.txt")
            raise
        finally:
            mlflow.end_run(status)

    def children(self, parent_id: str) -> pd.DataFrame:
        """Returns one row for each child of a parent run."""
        runs = self._client.search_runs(
            [self._experiment_id], f"tags.`mlflow.parentRunId` = '{parent_id}'", max_results=_MOST_RUNS
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
        experiments = [experiment.experiment_id for experiment in self._client.search_experiments()]
        runs = self._client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=_MOST_RUNS)
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
        self._client.log_table(run_id, table, f"{name}.json")
        self._client.log_text(run_id, table.to_csv(index=False), f"{name}.csv")
        self._client.set_tag(run_id, "mlflow.note.content", note)


class MlflowRun:
    """A run that is open. See `fer_exp.tracking.Run`."""

    def __init__(self, client: mlflow.MlflowClient, run_id: str, experiment_id: str) -> None:
        self._client, self.run_id, self.experiment_id = client, run_id, experiment_id
        self._last_steps: dict[str, int] = {}  # of each metric, where the run had some before it was opened
        self._has_model = self._has_data = False

    def read_what_is_logged(self) -> None:
        """Learns what an earlier attempt has logged, so that nothing is logged twice."""
        run = self._client.get_run(self.run_id)
        for key in run.data.metrics:
            if not key.startswith("system/"):
                self._last_steps[key] = max(entry.step for entry in self._client.get_metric_history(self.run_id, key))
        self._has_model = bool(run.outputs and run.outputs.model_outputs)
        self._has_data = bool(run.inputs and run.inputs.dataset_inputs)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Records the flattened configuration."""
        entries = [Param(key, str(value)) for key, value in params.items()]
        for start in range(0, len(entries), _BATCH):
            self._client.log_batch(self.run_id, params=entries[start : start + _BATCH])

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Records numbers, at an epoch or for the run as a whole."""
        now, step = get_current_time_millis(), step or 0
        entries = [
            Metric(key, float(value), now, step)
            for key, value in metrics.items()
            if step > self._last_steps.get(key, -1)
        ]
        self._client.log_batch(self.run_id, metrics=entries)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Records short texts."""
        self._client.log_batch(self.run_id, tags=[RunTag(key, str(value)) for key, value in tags.items()])

    def log_text(self, text: str, name: str) -> None:
        """Records a text file."""
        self._client.log_text(self.run_id, text, name)

    def log_folder(self, folder: Path) -> None:
        """Uploads a folder under its own name."""
        self._client.log_artifacts(self.run_id, str(folder), folder.name)

    def log_data(self, splits: Splits) -> None:
        """Records what the run was trained and tested on."""
        if self._has_data:
            return
        source = CodeDatasetSource({"source": splits.source})
        for context, split in (("training", splits.train), ("validation", splits.val), ("test", splits.test)):
            data = mlflow.data.from_numpy(
                split.images, source=source, targets=split.labels, name=context, digest=splits.sha256[:32]
            )
            mlflow.log_input(data, context=context)

    def log_model(self, model: "keras.Model", image_shape: tuple[int, int, int]) -> None:
        """Records a model that takes uint8 images (n, height, width, channels) and returns class probabilities."""
        if self._has_model:
            return
        import keras
        import tensorflow as tf

        inputs = keras.Input(image_shape, dtype="uint8", name="image")
        served = keras.Model(inputs, keras.layers.Softmax(dtype="float32")(model(inputs)), name="served")
        signature = ModelSignature(
            inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, *image_shape))]),
            outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, model.output_shape[-1]))]),
        )
        mlflow.keras.log_model(
            served,
            name="model",
            signature=signature,
            pip_requirements=[f"keras=={keras.__version__}", f"tensorflow=={tf.__version__}"],
        )


def _as_attempt(run: mlflow.entities.Run) -> Attempt:
    return Attempt(run.info.run_id, run.info.run_name, run.info.status, run.data.tags)


def _as_text(tags: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in tags.items()}


def _lock_path(uri: str) -> Path:
    file = database(uri)
    if file is not None:
        if not file.parent.is_dir():
            raise TrackingError(f"`tracking.uri` must lie in an existing folder. Received: {uri}.")
        return file.with_name(f"{file.name}.lock")
    return Path(tempfile.gettempdir()) / f"fer_exp-{os.getuid()}-tracking.lock"


def _require_answer(uri: str, timeout_seconds: float) -> None:
    """Asks the server for its health once, because MLflow itself would go on asking for minutes."""
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=timeout_seconds):  # noqa: S310 (checked)
            return
    except OSError as error:
        raise TrackingError(
            f"`tracking.uri` must be a server that answers within {timeout_seconds:g} seconds: {error}. "
            f"Received: {uri}. Start it with `mlflow server`, or unset MLFLOW_TRACKING_URI to log into mlflow.db here."
        ) from error
