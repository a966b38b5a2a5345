"""Addresses of SQLite files, as SQLAlchemy reads them: the file of an address, and the address of a file.

Called for the databases of MLflow and of Optuna. SQLAlchemy takes what follows a `?` for parameters and decodes what
follows a `%`, in whatever folder the file lies.
"""

import re
from pathlib import Path
from urllib.parse import quote, unquote

_PREFIX = re.compile(r"sqlite(?:\+pysqlite)?:///")
_PARAMETERS = re.compile(r"\w+=[^&/]*(?:&\w+=[^&/]*)*")
_OF_SQLITE = re.compile(r"file:(?://(?=/))?")  # how SQLite's own addresses begin, which are encoded once more


def uri_of(file: Path, parameters: str = "") -> str:
    """Returns the address of a database file.

    Args:
        file: Absolute path, with whatever letters.
        parameters: Of the connection, for example `timeout=60`.
    """
    mark = f"?{parameters}" if parameters else ""
    if "?" not in str(file) and unquote(str(file)) == str(file):
        return f"sqlite:///{file}{mark}"
    # With the driver's name, because MLflow would make folders of what follows `sqlite:///`, as it stands there.
    return f"sqlite+pysqlite:///{quote(str(file), safe='/ ')}{mark}"


def file_of(uri: str) -> Path | None:
    """Returns the file that an address leads to, as it is named there; None if it is not one of a SQLite file."""
    return _split(uri)[0]


def absolute(uri: str) -> str:
    """Returns an address that does not depend on the working directory; `~` is the home folder. Others stay."""
    file, parameters = _split(uri)
    return uri if file is None else uri_of(file.expanduser().absolute(), parameters)


def _split(uri: str) -> tuple[Path | None, str]:
    """Returns the file of an address, and the parameters behind it."""
    found = _PREFIX.match(uri)
    if found is None:
        return None, ""
    rest = uri[found.end() :]
    path, mark, parameters = rest.rpartition("?")
    if not mark or not _PARAMETERS.fullmatch(parameters):  # what a person types of a file whose folder has a `?`
        path, parameters = rest, ""
    path, given = unquote(path), parameters.split("&")
    if _OF_SQLITE.match(path) and "uri=true" in given:
        path, parameters = unquote(_OF_SQLITE.sub("", path)), "&".join(part for part in given if part != "uri=true")
    return (None, "") if path in ("", ":memory:") else (Path(path), parameters)
