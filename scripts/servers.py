"""A real MLflow server and a real PostgreSQL on loopback, started for a while.

Imported by the scripts and tests that need them.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE_SECONDS = 120


class Server:
    """An `mlflow server` that can be killed and comes back at the same address with the same data.

    Args:
        folder: Where its artifacts, its log and, unless there is another database, its SQLite file go.
        database: URI of its database; None is SQLite.
    """

    def __init__(self, folder: Path, database: str | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._database = database or f"sqlite:///{folder / 'mlflow.db'}"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it if it does not run, and waits until it answers."""
        if self._process is None:
            places = ["--backend-store-uri", self._database, "--artifacts-destination", str(self.folder / "artifacts")]
            where = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
            with (self.folder / "server.log").open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "mlflow", "server", *where, *places],
                    stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
        _wait_for_answer(f"http://127.0.0.1:{self.port}/health")

    def kill(self) -> None:
        """Kills it and its workers with SIGKILL."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ends it in order."""
        self.signal(signal.SIGTERM)
        if self._process is not None:
            self._process.wait(_PATIENCE_SECONDS)
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to it and its workers."""
        if self._process is not None:
            os.killpg(self._process.pid, number)


@contextmanager
def mlflow_server(folder: Path, database: str | None = None) -> Iterator[Server]:
    """Runs an MLflow server on loopback.

    Args:
        folder: Where its artifacts, its log and, unless there is another database, its SQLite file go.
        database: URI of its database; None is SQLite.
    """
    server = Server(folder, database)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def postgresql() -> Iterator[str]:
    """Runs a PostgreSQL of its own on loopback and gives the URI of an empty database `mlflow` with its password.

    Another empty database beside it is called `optuna`.

    Raises:
        FileNotFoundError: If it is not installed.
    """
    programs = postgresql_programs()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
    # It refuses to run as root, and its folder must be its user's.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="fer_exp-postgresql-") as name:
        folder, port, password = Path(name), free_port(), secrets.token_hex(16)
        (folder / "password").write_text(password)
        if as_user:
            shutil.chown(folder, "postgres")
            shutil.chown(folder / "password", "postgres")

        def call(program: str, *arguments: str) -> None:
            command = [*as_user, str(programs / program), *arguments]
            environment = {**os.environ, "PGPASSWORD": password}
            subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder, env=environment)

        data, log = str(folder / "data"), str(folder / "log")
        call("initdb", "-D", data, "-U", "fer_exp", "-A", "scram-sha-256", "--pwfile", str(folder / "password"))
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        call("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            for database in ("mlflow", "optuna"):
                call("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "fer_exp", database)
            yield f"postgresql+psycopg2://fer_exp:{password}@127.0.0.1:{port}/mlflow"
        finally:
            call("pg_ctl", "-D", data, "-m", "fast", "-w", "stop")


def postgresql_programs() -> Path | None:
    """Returns the folder of PostgreSQL's programs, if it is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))  # Debian keeps them off the PATH
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).parent if on_path else None


def free_port() -> int:
    """Returns a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_answer(url: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 (loopback)
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
