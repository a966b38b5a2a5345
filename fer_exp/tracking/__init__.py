"""Contract of tracking: `build(*, ...) -> Tracker`, which opens runs and keeps their status true.

Called by `experiment` and `sweep` through `config.build`. An option is the only module that imports its service's
library; it must not know what a run contains.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fer_exp.data.inputs import Specs
from fer_exp.dataset import Splits
from fer_exp.errors import ConfigError, TrackingError
from fer_exp.options.grammar import sqlite
from fer_exp.process import credentials, folders
from fer_exp.record import address

if TYPE_CHECKING:
    import keras
    import pandas as pd


@dataclass(frozen=True)
class Attempt:
    """A run as it is recorded.

    Attributes:
        run_id: Its id.
        name: Its name.
        status: RUNNING, FINISHED, FAILED or KILLED.
        tags: What `experiment` and the tracker wrote beside it.
        metrics: The last value of each.
    """

    run_id: str
    name: str
    status: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """All that is recorded of a run but its files.

    Attributes:
        run_id: Its id.
        name: Its name.
        status: RUNNING, FINISHED, FAILED or KILLED.
        experiment_id: Of the experiment it belongs to.
        started: When it began, in milliseconds since 1970 (UTC).
        params: The flattened configuration, as text.
        tags: What `experiment` and the tracker wrote beside it.
        metrics: The last value of each.
    """

    run_id: str
    name: str
    status: str
    experiment_id: str
    started: int
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]

    @property
    def called(self) -> str:
        """Id and name, as messages call the run."""
        return f"{self.run_id} ({self.name})"

    def has_part(self, folds: int, fold: int | None) -> bool:
        """Tells whether it was trained on the same part of its data as a run with these folds."""
        same_fold = self.params.get("fold", "None") == str(fold)
        return same_fold and (fold is None or self.params.get("folds") == str(folds))


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        name: Of the registered model.
        number: Of the version, from 1.
        run_id: The run that made it; empty if that is not recorded.
        tags: What was written on it.
    """

    name: str
    number: str
    run_id: str
    tags: Mapping[str, str]


class Registry(Protocol):
    """Where models are registered under names. Every method raises a TrackingError if the server does not answer."""

    def version(self, name: str, number: str) -> Version | None:
        """Returns a version by its number, if there is one."""

    def aliased(self, name: str, alias: str) -> Version | None:
        """Returns the version that an alias stands for, if there is one."""

    def of_run(self, name: str, run_id: str) -> Version | None:
        """Returns the oldest version of a name that a run has made, if there is one."""

    def register(self, name: str, run_id: str, tags: Mapping[str, str]) -> Version:
        """Makes the model that a run has logged a new version of a name.

        Raises:
            ModelError: If the run has logged no model.
        """

    def give_alias(self, name: str, alias: str, number: str) -> None:
        """Lets an alias stand for a version; that of another version moves."""

    def tag(self, name: str, number: str, tags: Mapping[str, str]) -> None:
        """Records short texts on a version."""


class Run(Protocol):
    """A run that is open.

    What it is told is kept on disk and delivered in order by and by: no method waits for the server. What the server
    refuses is told in a warning and stays on disk, everything else goes on, and the run has the tag `refused_records`
    when it ends. `numbers` are those it was told of the run as a whole.
    """

    run_id: str
    experiment_id: str
    numbers: Mapping[str, float]

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Records numbers, at an epoch or for the run as a whole."""

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Records short texts."""

    def log_text(self, text: str, name: str) -> None:
        """Records a text file."""

    def log_folder(self, folder: Path) -> None:
        """Uploads a folder under its own name."""

    def log_data(self, splits: Splits) -> None:
        """Records what the run was trained and tested on."""

    def log_model(self, model: "keras.Model", specs: Specs) -> None:
        """Records a model that takes its inputs as they are stored, by name, and returns class probabilities."""


class Tracker(Protocol):
    """A place where runs are kept."""

    uri: str
    experiment_id: str
    registry: Registry

    def run(
        self,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, Any],
        run_id: str | None = None,
        folder: Path | None = None,
        at_end: Callable[[str], object] | None = None,
    ) -> AbstractContextManager[Run]:
        """Opens a run that ends as FINISHED, FAILED (with its traceback and log) or KILLED (when interrupted).

        With `run_id` it goes on with that run; its name and params stay, and numbers are not logged twice. The outbox
        lies in `folder`, which the caller has locked (`owner.lock`); without one, in `outputs/<run id>`. `at_end` is
        called with the run's id when all else of it was delivered; it may be called again, by a later `sync`.

        Raises:
            TrackingError: If the server does not answer when the run is to begin.
        """

    def unfinished(self, fingerprint: str) -> list[Attempt]:
        """Returns the runs with that tag that are not FINISHED, newest first, under the same parent if there is one."""

    def attempt(self, run_id: str) -> Attempt | None:
        """Returns a run, if there is one."""

    def sweep(self, fingerprint: str) -> Attempt | None:
        """Returns the newest parent run with that tag, if there is one."""

    def parent(
        self,
        name: str,
        tags: Mapping[str, Any],
        run_id: str | None = None,
        at_end: Callable[[str], object] | None = None,
    ) -> AbstractContextManager[Run]:
        """Opens the run that stands above the children of a sweep; with `run_id` that one again.

        `at_end` is called with its id when all else of it was delivered; it may be called again, by a later `sync`.

        Raises:
            TrackingError: If the server does not answer at the beginning, or not when the sweep has ended well.
        """

    def deliver(self, folder: Path, at_end: Callable[[str], object] | None = None) -> int:
        """Delivers what is left in the outbox of a folder, which the caller has locked, and removes the outbox.

        Returns:
            Number of records.

        Raises:
            TrackingError: If the server does not answer; what was delivered is not delivered again.
            RefusedRecordsError: If the server refuses some; all others were delivered.
            StorageError: If the outbox is damaged.
        """

    def children(self, parent_id: str) -> "pd.DataFrame":
        """Returns one row for each child: run_id, name, status, its tags and its metrics."""

    def running(self) -> "pd.DataFrame":
        """Returns the runs of all experiments that say RUNNING: run_id, name, started (UTC), tags (a mapping)."""

    def finished(self) -> "pd.DataFrame":
        """Returns the runs of all experiments that say FINISHED, with the columns of `running`."""

    def kill(self, run_id: str) -> None:
        """Gives a run that nobody ends any more the status KILLED."""

    def log_table(self, run_id: str, table: "pd.DataFrame", name: str, note: str) -> None:
        """Records a table as CSV and as a table of the UI, and a note in markdown as the run's description."""

    def record(self, run_id: str) -> Record | None:
        """Returns a run with its params and metrics, if there is one that is not deleted.

        Raises:
            ConfigError: If `run_id` is the beginning of the ids of several runs.
        """

    def child_records(self, parent_id: str) -> list[Record]:
        """Returns the children of a sweep's parent, in whatever experiment it is, the oldest first."""

    def download(self, run_id: str, path: str, folder: Path) -> Path | None:
        """Copies a recorded file into a folder and returns where it is now; None if the run has no such file."""

    def add_folder(self, run_id: str, folder: Path, name: str) -> None:
        """Uploads a folder under another name to a run, open or not."""

    def log_summary(self, run_id: str, tags: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Records tags and numbers of a run that may have ended; the time of the numbers is its start."""


def glance(node: Mapping[str, Any]) -> None:
    """Refuses a store that certainly cannot be used, before MLflow is imported; nothing is opened.

    Args:
        node: Of the tracker: `_target_` and its options.

    Raises:
        TrackingError: If the address is none, its folder cannot be written, or nobody listens at it.
    """
    uri = node["uri"]
    named = "MLFLOW_TRACKING_URI" if uri is None else "tracking.uri"
    given = os.environ.get(named) if uri is None else uri
    if given is not None:
        address.check(given, named)
    found = tracking_uri(uri)
    file = database(found)
    if file is None:
        address.check_listening(found, node["timeout_seconds"])
    elif not file.parent.is_dir():
        raise TrackingError(f"`tracking.uri` must lie in an existing folder. Received: {found}.")
    elif objection := folders.objection(file.parent):  # a journal and a lock lie beside it
        raise TrackingError(
            f"`tracking.uri` must be a database that can be written: {objection}. Received: {found}. Name another: "
            "tracking.uri=sqlite:////<folder>/mlflow.db."
        )


def finished_run(tracker: Tracker, run_id: str, key: str) -> Record:
    """Returns a run that has finished.

    Args:
        tracker: Where it is.
        run_id: Its id.
        key: What names it in the configuration or on the command line, for the message.

    Raises:
        ConfigError: If there is no such run, or it has not finished.
    """
    record = tracker.record(run_id)
    if record is None:
        raise ConfigError([f"`{key}` must be a run in {tracker.uri}. Received: {run_id}, which is not there."])
    if record.status != "FINISHED":
        raise ConfigError([f"`{key}` must have finished. Received: {record.called}, which is {record.status}."])
    return record


def tracking_uri(uri: str | None) -> str:
    """Returns a URI that does not depend on the working directory, its password put aside (`process.credentials`).

    Args:
        uri: Tracking URI; None means MLFLOW_TRACKING_URI, else `mlflow.db` in the working directory.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI")
    if uri is None:
        return sqlite.uri_of(Path.cwd() / "mlflow.db")
    if sqlite.file_of(uri) is not None:
        return sqlite.absolute(uri)
    return credentials.put_aside(uri)


def database(uri: str) -> Path | None:
    """Returns the file of a URI that `tracking_uri` returned, or None if it is a server."""
    return sqlite.file_of(uri)


def ui_address(server: str, run_id: str | None = None, experiment_id: str | None = None) -> str:
    """Returns where a browser shows runs: in MLflow's mode for training, not the one for language models.

    Args:
        server: Address of the MLflow server.
        run_id: A run to show; None shows all experiments.
        experiment_id: Of the run; None lets the server find it.
    """
    mode = "workflowType=machine_learning"
    if run_id is None:
        return f"{server.rstrip('/')}/#/experiments?{mode}"
    return f"{server.rstrip('/')}/#/experiments/{experiment_id or 0}/runs/{run_id}?{mode}"


def swept(overrides: Sequence[str]) -> dict[str, str]:
    """Returns key -> value of overrides such as `lr=1e-4`."""
    return dict(override.lstrip("+~").split("=", 1) for override in overrides if "=" in override)
