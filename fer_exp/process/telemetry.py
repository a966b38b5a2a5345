"""Nothing leaves the machine: libraries that report to their makers keep quiet, unless the user says otherwise.

Called when `fer_exp` is imported, so before anything of it can import MLflow, which reports from every process that
imports it and keeps an installation id in the home folder; Ray reports what runs on a cluster. Processes that are
started here inherit it.
"""

from collections.abc import MutableMapping

_OFF = {"MLFLOW_DISABLE_TELEMETRY": "true", "RAY_USAGE_STATS_ENABLED": "0"}


def turn_off(environment: MutableMapping[str, str]) -> None:
    """Turns every report off whose variable the user has not set.

    Args:
        environment: `os.environ`.
    """
    for name, value in _OFF.items():
        environment.setdefault(name, value)
