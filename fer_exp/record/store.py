"""What the commands beside the main one share: the store of runs that overrides name, and the files they write.

Called by `doctor`, `compare`, `predict` and their like, and by `__main__` for the runs that a configuration names. It
must not know what they do with the runs.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fer_exp.errors import ConfigError, StorageError, TrackingError
from fer_exp.options import commandline, config
from fer_exp.process import folders
from fer_exp.record import lookup
from fer_exp.signature import is_run_id
from fer_exp.tracking import Tracker, database, glance, tracking_uri


def existing(overrides: Sequence[str], named: Sequence[tuple[str, str]] = ()) -> Tracker:
    """Returns the tracker that overrides lead to, which must hold runs already.

    Args:
        overrides: As of the command line of the main program; what they say of `tracking` counts.
        named: Runs that it must have, as of `require_runs`; where a word is no id, the caller tells of all of them.

    Raises:
        UserError: If an override is wrong, there is no database at the tracking URI, or a run is not there.
    """
    jobs = commandline.check(overrides, groups=["tracking"])
    node = jobs.first.tracking if jobs else {}
    if jobs:
        glance(jobs.first.tracking)
    uri = tracking_uri(node.get("uri"))
    file = database(uri)
    if file is not None and not file.is_file():  # opening it would make one
        raise TrackingError(f"`tracking.uri` must lead to runs: there is no {file}. Received: {uri}.")
    if file is not None and all(is_run_id(word) for _, word in named):
        require_runs(node, list(dict.fromkeys(named)))
    tracker: Tracker = config.build(node)
    return tracker


def require_runs(node: Mapping[str, Any], named: Sequence[tuple[str, str]]) -> None:
    """Refuses ids of runs that the store does not have, before anything is made ready for them.

    Args:
        node: Of the tracker: `_target_` and its options.
        named: What names each run in the configuration or on the command line, for the message, and its id.

    Raises:
        ConfigError: With a line for each run that is not there.
        TrackingError: If the store cannot be asked.
    """
    uri = tracking_uri(node.get("uri"))
    file = database(uri)
    if file is None:
        tracker: Tracker = config.build(node)
        missing = [(key, run_id) for key, run_id in named if tracker.attempt(run_id) is None]
    else:
        missing = [(key, run_id) for key, run_id in named if not file.is_file() or lookup.is_missing(file, run_id)]
    if missing:
        raise ConfigError(
            [f"`{key}` must be a run in {uri}. Received: {run_id}, which is not there." for key, run_id in missing]
        )


def outputs(kind: str) -> Path:
    """Returns a folder of its own for what a command is about to write; it is not made yet.

    Args:
        kind: How its name begins, for example `compare`.

    Raises:
        StorageError: If no folder can be made there.
    """
    folder = Path("outputs").absolute() / f"{kind}-{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
    if objection := folders.objection(folder):
        raise StorageError(f"`outputs` in the working directory must be a folder that can be written: {objection}.")
    return folder


def output_problem(option: str, path: Path) -> str | None:
    """Returns why a file that a person names cannot be written, or None.

    Args:
        option: What names it on the command line, for example `--csv`.
        path: The file.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        return f"`{option}` must be a file in an existing folder. Received: {path}."
    if path.exists() and not path.is_file():
        return f"`{option}` must be a file, not a device or a pipe, which a file would replace. Received: {path}."
    return None


def write(path: Path, text: str) -> None:
    """Writes a file whole or not at all; through a link to where it leads.

    Args:
        path: Where `output_problem` finds nothing.
        text: Its content.

    Raises:
        StorageError: If it cannot be written.
    """
    try:
        with folders.put(path.resolve()) as part:
            part.write_text(text, encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from error
