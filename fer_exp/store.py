"""What the commands beside the main one share: the store of runs that overrides name, and how they speak.

Called by `doctor`, `compare` and `sync`. It must not know what they do with the runs.
"""

import sys
from collections.abc import Sequence
from typing import NoReturn

from fer_exp import commandline, config
from fer_exp.errors import TrackingError, UserError
from fer_exp.tracking import Tracker, database, tracking_uri


def existing(overrides: Sequence[str]) -> Tracker:
    """Returns the tracker that overrides lead to, which must hold runs already.

    Args:
        overrides: As of the command line of the main program; what they say of `tracking` counts.

    Raises:
        UserError: If an override is wrong, or there is no database at the tracking URI.
    """
    jobs = commandline.check(overrides)
    node = jobs.first.tracking if jobs else {}
    uri = tracking_uri(node.get("uri"))
    file = database(uri)
    if file is not None and not file.is_file():  # opening it would make one
        raise TrackingError(f"`tracking.uri` must lead to runs: there is no {file}. Received: {uri}.")
    tracker: Tracker = config.build(node)
    return tracker


def refuse(error: UserError) -> NoReturn:
    """Prints each line of the message as an error and ends the process with the error's exit code."""
    print("\n".join(f"error: {printable(line)}" for line in str(error).splitlines()), file=sys.stderr)
    sys.exit(error.exit_code)


def printable(text: str) -> str:
    """Returns a text without the characters that steer a terminal: names of runs come from anywhere."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
