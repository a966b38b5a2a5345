"""Addresses of tracking stores: what is wrong with one as it stands, and whether anybody listens there.

Called by the contract of tracking, before MLflow is imported. What only MLflow can tell is left to it.
"""

import difflib
import os
import re
import socket
import urllib.request
from collections.abc import Mapping
from importlib import metadata, util
from pathlib import Path
from urllib.parse import urlsplit

from fer_exp.errors import TrackingError
from fer_exp.options.grammar import sqlite

_NAMES = ("databricks", "databricks-uc", "uc")  # which are addresses by themselves
_SERVERS = ("http", "https")
_DATABASES = {
    "postgresql": ("psycopg2", "psycopg", "pg8000"),
    "mysql": ("pymysql", "MySQLdb", "mysql.connector"),
    "mssql": ("pymssql", "pyodbc"),
    "sqlite": ("sqlite3",),
}
"""Databases that MLflow keeps runs in, each with the drivers that reach it."""
_DRIVER_NAMES = {"MySQLdb": "mysqldb", "mysql.connector": "mysqlconnector"}  # as an address calls them
_FOLDERS_ENV = "MLFLOW_ALLOW_FILE_STORE"
_CERTIFICATES = ("MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH")
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


def check(uri: str, named: str = "tracking.uri") -> None:
    """Refuses an address that cannot be one of a tracking store.

    Args:
        uri: The address.
        named: What it was given by, for the message.

    Raises:
        TrackingError: With a sentence that says how to write it.
    """
    if problem := _problem(uri, os.environ):
        raise TrackingError(f"`{named}` must {problem} Received: {named}={uri}.")


def check_listening(uri: str, timeout_seconds: float) -> None:
    """Refuses the address of a server, of MLflow or of a database, that nobody listens at.

    MLflow would try a database again and again for minutes.

    Args:
        uri: Any address of a tracking store; one that names no host, or several, or is reached through a proxy, is
            passed over.
        timeout_seconds: In which a connection must come about.

    Raises:
        TrackingError: If there is none.
    """
    parts = urlsplit(uri)
    kind = parts.scheme.partition("+")[0]
    if kind not in _PORTS or parts.hostname is None or "," in parts.netloc:
        return
    if kind in _SERVERS and _has_proxy(kind, parts.hostname):
        return
    try:
        socket.create_connection((parts.hostname, parts.port or _PORTS[kind]), timeout_seconds).close()
    except (OSError, UnicodeError) as error:
        raise silent(uri, timeout_seconds, str(error)) from error


def silent(uri: str, timeout_seconds: float, reason: str) -> TrackingError:
    """Returns what is said of a server that does not answer."""
    if not uri.startswith(tuple(f"{name}:" for name in _SERVERS)):
        return TrackingError(
            f"`tracking.uri` must be a database that answers within {timeout_seconds:g} seconds: {reason.rstrip('.')}. "
            f"Received: {uri}. Start it, or name another."
        )
    return TrackingError(
        f"`tracking.uri` must be a server that answers within {timeout_seconds:g} seconds: {reason.rstrip('.')}. "
        f"Received: {uri}. Start it with `mlflow server`, or unset MLFLOW_TRACKING_URI to log into mlflow.db here."
    )


def _problem(uri: str, environment: Mapping[str, str]) -> str:
    """Returns what an address must be instead of what it is, as a sentence; empty if nothing is known against it."""
    if not uri.strip():
        return "not be empty: unset it, and runs go to mlflow.db in the working directory; or give an address."
    scheme = uri.split(":", 1)[0].lower() if re.match(r"[A-Za-z][\w+.-]*:", uri) else ""
    if uri in _NAMES or scheme in (*_NAMES, *_plugins()):
        return ""
    if scheme in _SERVERS:
        return _problem_of_server(uri, environment)
    database = scheme.partition("+")[0]
    if database in _DATABASES:
        return _problem_of_sqlite(uri) if database == "sqlite" else _problem_of_database(uri)
    if scheme == "file" or (not scheme and ("/" in uri or ("." not in uri and os.path.isdir(uri)))):
        return _problem_of_folder(uri, environment)
    if "://" not in uri:
        return f"begin with http://, sqlite:///, postgresql:// or the like, for example {_meant(uri)}."
    known = [*_SERVERS, "file", *_DATABASES, *_NAMES, *_plugins()]
    nearest = difflib.get_close_matches("postgresql" if database == "postgres" else database, known, n=1)
    hint = f" Did you mean {nearest[0]}:{uri.partition(':')[2]}?" if nearest else ""
    return f"begin with one of {', '.join(f'{name}:' for name in known)} and not with {scheme}:.{hint}"


def _meant(uri: str) -> str:
    """Returns what an address without a scheme probably is."""
    if uri.endswith((".db", ".sqlite", ".sqlite3")) or os.path.isfile(uri):
        return f"sqlite:///{uri}"
    return f"http://{uri}"


def _problem_of_server(uri: str, environment: Mapping[str, str]) -> str:
    try:
        parts = urlsplit(uri)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError as error:  # a port that is no number, a bracket that is not closed
        return f"be the address of a server, http://host:port: {error}."
    if not named:
        return "name a host, and a port unless it is the usual one: http://host:port."
    for variable in _CERTIFICATES:
        path = environment.get(variable)
        if path and not Path(path).exists():
            return f"be a server whose certificate can be checked: there is no {path}, which {variable} names."
    return ""


def _problem_of_sqlite(uri: str) -> str:
    if re.fullmatch(r"sqlite(\+pysqlite)?:(//)?/?(:memory:)?", uri):
        return "name a file, because a database in memory is gone with the process: sqlite:///mlflow.db."
    if sqlite.file_of(uri) is None:
        rest = uri.partition(":")[2].lstrip("/")
        return f"have three slashes before a relative path, and four before one from the root: sqlite:///{rest}."
    return ""


def _problem_of_database(uri: str) -> str:
    from sqlalchemy.engine import make_url  # 0.2 seconds, which only these addresses need
    from sqlalchemy.exc import SQLAlchemyError

    try:
        url = make_url(uri)
        url.get_dialect().import_dbapi()
    except ModuleNotFoundError as error:
        name = uri.split(":", 1)[0].partition("+")[0]
        drivers = [driver for driver in _DATABASES[name] if _is_installed(driver)]
        if drivers:
            driver = _DRIVER_NAMES.get(drivers[0], drivers[0])
            return f"name a driver that is installed: {name}+{driver}:{uri.partition(':')[2]}."
        driver = _DATABASES[name][0]
        package = "'fer-exp[postgresql]'" if name == "postgresql" else driver
        return (
            f"be a database whose driver is installed: there is no {error.name}. Install one (pip install {package}), "
            f"and name it: {name}+{driver}:{uri.partition(':')[2]}."
        )
    except SQLAlchemyError as error:
        return f"be an address that SQLAlchemy can read: {' '.join(str(error).split()).rstrip('.')}."
    return "" if url.host or url.database or url.query else f"name a host and a database: {url.drivername}://host/name."


def _problem_of_folder(uri: str, environment: Mapping[str, str]) -> str:
    if environment.get(_FOLDERS_ENV, "").lower() in ("true", "1"):
        return ""
    if os.path.isfile(uri):
        return f"begin with sqlite:/// if it is a database: {_meant(uri)}."
    return (
        "be a server or a database, because MLflow no longer keeps runs in folders "
        f"(unless {_FOLDERS_ENV}=true): http://host:port or sqlite:///mlflow.db."
    )


def _is_installed(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _plugins() -> list[str]:
    return [entry.name for entry in metadata.entry_points(group="mlflow.tracking_store")]


def _has_proxy(scheme: str, host: str) -> bool:
    proxies = urllib.request.getproxies()
    return bool({scheme, "all"} & proxies.keys()) and not urllib.request.proxy_bypass(host)
