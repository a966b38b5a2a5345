"""Who runs this process, where the system does not know: `docker run --user 12345`, say.

Called when `fer_exp` is imported, and once the command line says which folder may be written. MLflow notes the user of
each run, and locks are named by it; without a home folder MLflow cannot be imported, and Keras makes one called `~`.
"""

import getpass
import os
from collections.abc import MutableMapping
from pathlib import Path


def name_if_unknown(environment: MutableMapping[str, str]) -> None:
    """Calls a user whom neither the environment nor the system names by the number.

    Args:
        environment: `os.environ`.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        environment["USER"] = str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def house_if_homeless(environment: MutableMapping[str, str], folder: str) -> None:
    """Gives libraries a home folder where neither the environment nor the system names one.

    Args:
        environment: `os.environ`.
        folder: What they get, which may not be there yet.
    """
    if os.path.expanduser("~") == "~":
        environment["HOME"] = str(Path(folder).absolute())
