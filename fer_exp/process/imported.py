"""What every job imports, be it at its beginning or much later.

Called by `server` before it forks any.
"""

import importlib

# By name: what a job is lies on the roof, far above this floor.
_MODULES = (
    "fer_exp.run.experiment",
    "fer_exp.tracking.mlflow",
    "alembic.command",
    "git",
    "matplotlib.backends.backend_agg",
    "mlflow.keras",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "sklearn.metrics",
)


def load() -> None:
    """Imports all of it."""
    for name in _MODULES:
        importlib.import_module(name)
    # MLflow reads which packages are installed when a process saves its first model: half a second of each job.
    importlib.import_module("mlflow.utils.requirements_utils").warn_dependency_requirement_mismatches(["mlflow"])
