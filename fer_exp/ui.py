"""Opens the MLflow UI on the runs of a folder, on this machine alone.

    python -m fer_exp.ui                                the runs of this folder: its mlflow.db
    python -m fer_exp.ui ../faces                       those of another one, or of a database file
    python -m fer_exp.ui tracking.uri=postgresql://...  those of a database
    python -m fer_exp.ui --run <run id>                 says where that run is

It prints the address, and serves until Ctrl-C. `key=value` are overrides as of `python -m fer_exp`.
"""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_exp.errors import ConfigError, TrackingError
from fer_exp.options import commandline, recorded_config
from fer_exp.options.grammar import sqlite
from fer_exp.process import credentials
from fer_exp.record import store
from fer_exp.reporting import command
from fer_exp.signature import run_id as checked_id
from fer_exp.tracking import database, tracking_uri, ui_address

_HOST, _PORT, _MORE_PORTS = "127.0.0.1", 5000, 20
_FILE = "mlflow.db"
# One process answers a person as well as four; jobs are of MLflow's language models.
_ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore::DeprecationWarning"}


@command.framed
def main() -> None:
    """Runs the command line; it ends as the server does, or with 2 for a user's error."""
    options = command.parsed(_parser())
    uri = _uri(options.words)
    run = _run(uri, options.run) if options.run else ()
    if uri.startswith(("http://", "https://")):
        print(f"The runs are on a server, which has the UI: {ui_address(uri, *run)}")
        return
    port = _free_port(options.port)
    address = ui_address(f"http://{_HOST}:{port}", *run)
    print(f"The runs of {uri} are shown at {address}\nThe server takes some seconds to start. Ctrl-C ends it.")
    sys.stdout.flush()
    # In the place of this process, so that signals reach it; others cannot read its environment as its arguments.
    environment = {**_ENVIRONMENT, **os.environ, "MLFLOW_BACKEND_STORE_URI": credentials.whole(uri)}
    where = ["--host", _HOST, "--port", str(port), "--workers", "1"]
    os.execve(sys.executable, [sys.executable, "-m", "mlflow", "server", *where], environment)  # noqa: S606


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("fer_exp.ui", __doc__)
    add = parser.add_argument
    add(
        "words",
        nargs="*",
        metavar="FOLDER | key=value",
        help=f"a folder with {_FILE}, or a database file",
    )
    add("--run", metavar="ID", help="print the address of this run")
    add("--port", type=int, help=f"where it is served (default: the first free port from {_PORT} on)")
    return parser


def _uri(words: Sequence[str]) -> str:
    """Returns where the runs are that the command line means, its password put aside."""
    places = [word for word in words if "=" not in word or Path(word).exists()]
    overrides = [word for word in words if word not in places]
    if len(places) > 1 or (places and overrides):
        raise ConfigError([f"`FOLDER` or tracking.uri=... must be given, and once. Received: {' '.join(words)}."])
    if places:
        place = Path(places[0]).expanduser()
        file = place / _FILE if place.is_dir() else place
        if not file.is_file():
            raise TrackingError(f"`FOLDER` must hold runs: there is no {file}. Received: {places[0]}.")
        return sqlite.uri_of(file.absolute())
    jobs = commandline.check(overrides)
    uri = tracking_uri(jobs.first.tracking["uri"] if jobs else None)
    of_file = database(uri)
    if of_file is not None and not of_file.is_file():
        raise TrackingError(
            f"There are no runs here: {of_file} does not exist. Train first, or name a folder with runs."
        )
    return uri


def _run(uri: str, run_id: str) -> tuple[str, str]:
    """Returns the whole id of a run, and that of its experiment."""
    try:
        checked_id(run_id)
    except ValueError as error:
        raise ConfigError([f"`--run` must be {error}. Received: {run_id}."]) from error
    record = store.existing([f"tracking.uri={recorded_config.literal(uri)}"]).record(run_id)
    if record is None:
        raise ConfigError([f"`--run` must be a run in {uri}. Received: {run_id}, which is not there."])
    return record.run_id, record.experiment_id


def _free_port(wanted: int | None) -> int:
    """Returns the port that is asked for, else the first free one."""
    if wanted is not None and not 0 < wanted < 2**16:
        raise ConfigError([f"`--port` must be from 1 to 65535. Received: {wanted}."])
    for port in [wanted] if wanted else range(_PORT, _PORT + _MORE_PORTS):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((_HOST, port))
            except OSError:
                continue
            return port
    received = wanted or f"{_PORT} to {_PORT + _MORE_PORTS - 1}"
    raise ConfigError([f"`--port` must be free: another program listens there. Received: {received}."])


if __name__ == "__main__":
    main()
