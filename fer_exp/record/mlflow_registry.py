"""MLflow's registry of models, asked and told so that doing it twice changes nothing.

Called by `tracking.mlflow` alone. It must not know when a model is registered, or which one is the champion.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST, ErrorCode

from fer_exp.errors import ModelError
from fer_exp.tracking import Version

_READY_SECONDS = 0  # a version of these stores is ready when it is made


class MlflowRegistry:
    """The registered models of one store. See `fer_exp.tracking.Registry`.

    Args:
        client: Of the store.
        asked: Entered around every question, it turns what MLflow raises into a TrackingError.
    """

    def __init__(self, client: mlflow.MlflowClient, asked: Callable[[], AbstractContextManager[None]]) -> None:
        self._client, self._asked = client, asked

    def version(self, name: str, number: str) -> Version | None:
        """Returns a version by its number, if there is one."""
        with self._asked():
            try:
                return _as_version(self._client.get_model_version(name, number))
            except MlflowException as error:
                _require_absence(error)
                return None

    def aliased(self, name: str, alias: str) -> Version | None:
        """Returns the version that an alias stands for, if there is one."""
        with self._asked():
            try:
                return _as_version(self._client.get_model_version_by_alias(name, alias))
            except MlflowException as error:
                if "alias" in str(error).lower():  # that the name does not have: there is no error code of its own
                    return None
                _require_absence(error)
                return None

    def of_run(self, name: str, run_id: str) -> Version | None:
        """Returns the oldest version of a name that a run has made, if there is one."""
        with self._asked():
            found = self._client.search_model_versions(f"name = '{name}'")
        mine = sorted((int(version.version), version) for version in found if version.run_id == run_id)
        return _as_version(mine[0][1]) if mine else None

    def register(self, name: str, run_id: str, tags: Mapping[str, str]) -> Version:
        """Makes the model that a run has logged a new version of a name, which is made if it does not exist.

        Raises:
            ModelError: If the run has logged no model.
        """
        with self._asked():
            run = self._client.get_run(run_id)
            logged = [output.model_id for output in (run.outputs.model_outputs if run.outputs else [])]
            if not logged:
                raise ModelError(f"Run {run_id} has logged no model that could be registered as {name}.")
            logging.getLogger("mlflow").setLevel(logging.WARNING)
            try:
                self._client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                    raise
            made = self._client.create_model_version(
                name,
                source=f"models:/{logged[0]}",
                run_id=run_id,
                tags=dict(tags),
                await_creation_for=_READY_SECONDS,
                model_id=logged[0],
            )
        return _as_version(made)

    def give_alias(self, name: str, alias: str, number: str) -> None:
        """Lets an alias stand for a version; that of another version moves."""
        with self._asked():
            self._client.set_registered_model_alias(name, alias, number)

    def tag(self, name: str, number: str, tags: Mapping[str, str]) -> None:
        """Records short texts on a version."""
        with self._asked():
            for key, value in tags.items():
                self._client.set_model_version_tag(name, number, key, value)


def _as_version(version: ModelVersion) -> Version:
    return Version(version.name, str(version.version), version.run_id or "", dict(version.tags))


def _require_absence(error: MlflowException) -> None:
    """Raises the error again if it says anything but that there is no such thing."""
    if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
        raise error
