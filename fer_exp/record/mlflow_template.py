"""An empty MLflow database, kept beside the parsed data sets: a new database begins as a copy of it.

Called by `mlflow_store`. MLflow makes a new database by going through all the versions its tables ever had, which takes
a second or two, in each new folder anew.
"""

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path

from fer_exp.process import folders

_log = logging.getLogger(__name__)


@contextmanager
def used(file: Path | None, cache: Path) -> Iterator[None]:
    """Lets MLflow begin with a copy of the template; makes the template of what MLflow makes, if there is none.

    Args:
        file: SQLite database that is opened inside, on whose making the caller holds a lock; None for any other store.
        cache: Folder of the template.
    """
    template = cache / f"mlflow-{version('mlflow')}.db"
    if file is None or file.exists():
        yield
        return
    if template.is_file():
        with folders.put(file) as part:
            shutil.copyfile(template, part)
        yield
        return
    yield
    try:
        _keep(file, template)
    except (OSError, sqlite3.Error) as error:
        _log.warning("An empty MLflow database cannot be kept for the next time: %s (%s).", template, error)


def _keep(file: Path, template: Path) -> None:
    """Keeps what MLflow has just made, without the experiment it begins with: that one says where its files lie."""
    with folders.put(template) as part, closing(sqlite3.connect(file)) as made, closing(sqlite3.connect(part)) as copy:
        made.backup(copy)
        copy.execute("DELETE FROM experiments")
        copy.commit()
