"""Contract of tracking: `build(*, ...) -> Tracker`, which opens runs and keeps their status true.

Called by `experiment` and `sweep` through `config.build`. An option is the only module that imports its service's
library; it must not know what a run contains.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fer_exp.dataset import Splits

if TYPE_CHECKING:
    import keras
    import pandas as pd

_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Attempt:
    """A run as it is recorded.

    Attributes:
        run_id: Its id.
        name: Its name.
        status: RUNNING, FINISHED, FAILED or KILLED.
        tags: What `experiment` and the tracker wrote beside it.
    """

    run_id: str
    name: str
    status: str
    tags: Mapping[str, str]


class Run(Protocol):
    """A run that is open."""

    run_id: str
    experiment_id: str

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

    def log_model(self, model: "keras.Model", image_shape: tuple[int, int, int]) -> None:
        """Records a model that takes uint8 images and returns class probabilities."""


class Tracker(Protocol):
    """A place where runs are kept."""

    uri: str

    def run(
        self, name: str, params: Mapping[str, Any], tags: Mapping[str, Any], run_id: str | None = None
    ) -> AbstractContextManager[Run]:
        """Opens a run that ends as FINISHED, FAILED (with its traceback) or KILLED (when interrupted).

        With `run_id` it goes on with that run; its name and params stay, and numbers are not logged twice.
        """

    def unfinished(self, fingerprint: str) -> list[Attempt]:
        """Returns the runs with that tag that are not FINISHED, newest first, under the same parent if there is one."""

    def attempt(self, run_id: str) -> Attempt | None:
        """Returns a run, if there is one."""

    def sweep(self, fingerprint: str) -> Attempt | None:
        """Returns the newest parent run with that tag, if there is one."""

    def parent(self, name: str, tags: Mapping[str, Any], run_id: str | None = None) -> AbstractContextManager[Run]:
        """Opens the run that stands above the children of a sweep; with `run_id` that one again."""

    def children(self, parent_id: str) -> "pd.DataFrame":
        """Returns one row for each child: run_id, name, status, its tags and its metrics."""

    def running(self) -> "pd.DataFrame":
        """Returns the runs of all experiments that say RUNNING: run_id, name, started (UTC), tags (a mapping)."""

    def kill(self, run_id: str) -> None:
        """Gives a run that nobody ends any more the status KILLED."""

    def log_table(self, run_id: str, table: "pd.DataFrame", name: str, note: str) -> None:
        """Records a table as CSV and as a table of the UI, and a note in markdown as the run's description."""


def tracking_uri(uri: str | None) -> str:
    """Returns a URI that does not depend on the working directory.

    Args:
        uri: Tracking URI; None means MLFLOW_TRACKING_URI, else `mlflow.db` in the working directory.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI")
    if uri is None:
        return f"{_SQLITE}{Path.cwd() / 'mlflow.db'}"
    if uri.startswith(_SQLITE):
        return f"{_SQLITE}{Path(uri.removeprefix(_SQLITE)).expanduser().absolute()}"
    return uri


def database(uri: str) -> Path | None:
    """Returns the file of a URI that `tracking_uri` returned, or None if it is a server."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def swept(overrides: Sequence[str]) -> dict[str, str]:
    """Returns key -> value of overrides such as `lr=1e-4`."""
    return dict(override.lstrip("+~").split("=", 1) for override in overrides if "=" in override)
