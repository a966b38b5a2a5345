"""Whether a run begins anew or goes on with an earlier one, and the lock that keeps two processes out of one folder.

Called by `experiment` before a run is opened. It must not know what a training consists of.
"""

import functools
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from fer_exp.errors import ConfigError, RefusedRecordsError
from fer_exp.options.fingerprint import Identity
from fer_exp.process import keras_state, kernels
from fer_exp.record import outbox, registry
from fer_exp.run import owner
from fer_exp.tracking import Attempt, Tracker

_TAKEN = "another process is at work in its folder"


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        run_id: The run to go on with; None for a new one.
        folder: Where its files are.
        finished: The run, if there is nothing to go on with: it had ended well, and only the server did not know.
    """

    run_id: str | None
    folder: Path
    finished: Attempt | None = None


@contextmanager
def chosen(
    how: str, tracker: Tracker, identity: Identity, data_sha256: str, folder: Path, say: Callable[[str], None]
) -> Iterator[Choice]:
    """Chooses between a new run and an unfinished one, and keeps other processes out of its folder.

    What an unfinished run could not tell the server is delivered first. If that says that it had ended well, it was the
    delivery that was interrupted, and nothing is left to be trained.

    Args:
        how: `auto`, `never` or a run id.
        tracker: Where runs are kept.
        identity: What makes two runs the same.
        data_sha256: Of the data.
        folder: Of a new run.
        say: Told why a run is continued or passed over.

    Raises:
        ConfigError: If the run that `how` names cannot be continued.
        TrackingError: If what it has recorded cannot be delivered because the server does not answer.
    """
    if how in ("auto", "never"):
        found = _first_free(tracker, identity, data_sha256, say) if how == "auto" else None
    else:
        found = _named(how, tracker, identity, data_sha256)
    if found is None:
        folder.mkdir(parents=True, exist_ok=True)
        lock = owner.lock(folder)
        if lock is None:
            raise ConfigError([f"`hydra.run.dir` must not be used by two runs at once. Received: {folder}."])
        choice = Choice(None, folder)
    else:
        attempt, lock = found
        choice = Choice(attempt.run_id, Path(attempt.tags["folder"]))
    try:
        if found is not None:
            choice = _brought_up_to_date(choice, found[0], tracker, say)
            _remove_if_unused(folder, choice.folder)
        yield choice
    finally:
        lock.release()


def _brought_up_to_date(choice: Choice, attempt: Attempt, tracker: Tracker, say: Callable[[str], None]) -> Choice:
    if outbox.exists(choice.folder):
        try:
            count = tracker.deliver(choice.folder, functools.partial(registry.complete, tracker))
            say(f"{count} records that run {attempt.run_id} had kept in {choice.folder} are delivered.")
        except RefusedRecordsError as error:
            say(f"{error} They are kept, and the run goes on without them.")
        now = tracker.attempt(attempt.run_id)
        if now is not None and now.status == "FINISHED":
            say(f"Run {now.run_id} ({now.name}) had finished: nothing is left to do. resume=never begins anew.")
            return Choice(now.run_id, choice.folder, now)
    then, now_set = attempt.tags.get("environment"), keras_state.told(os.environ)
    if then not in (None, now_set):
        say(f"Environment variables that numbers may depend on were {then}, and are {now_set} now.")
    say(f"Going on with run {attempt.run_id} ({attempt.name}) in {choice.folder}; resume=never begins anew.")
    return choice


def _first_free(
    tracker: Tracker, identity: Identity, data_sha256: str, say: Callable[[str], None]
) -> tuple[Attempt, FileLock] | None:
    attempts = tracker.unfinished(identity.fingerprint)
    for attempt in attempts or tracker.unfinished(identity.by_other_kernels):
        reason = _objection(attempt, identity, data_sha256)
        lock = None if reason else owner.lock(Path(attempt.tags["folder"]))
        if lock is not None:
            return attempt, lock
        say(f"Run {attempt.run_id} has this configuration too, but {reason or _TAKEN}.")
    return None


def _named(run_id: str, tracker: Tracker, identity: Identity, data_sha256: str) -> tuple[Attempt, FileLock]:
    attempt = tracker.attempt(run_id)
    reason = _objection(attempt, identity, data_sha256) if attempt else "there is no such run"
    lock = owner.lock(Path(attempt.tags["folder"])) if attempt and not reason else None
    if attempt is None or lock is None:
        problem = f"`resume` must name a run that can be continued: {reason or _TAKEN}. Received: resume={run_id}."
        raise ConfigError([problem])
    return attempt, lock


def _objection(attempt: Attempt, identity: Identity, data_sha256: str) -> str:
    """Returns why an attempt cannot be continued, or nothing."""
    tags = attempt.tags
    if attempt.status == "FINISHED":
        return "it is finished"
    if tags.get("fingerprint") == identity.by_other_kernels:
        return kernels.objection_to_other()
    if tags.get("fingerprint") != identity.fingerprint:
        return "it has another configuration"
    state = owner.state(tags)
    if attempt.status == "RUNNING" and state != "gone":
        return {"alive": "its process is at work", "elsewhere": "it says it is running on another host"}.get(
            state, "it does not say which process owns it"
        )
    if tags.get("data_sha256") != data_sha256:
        return "the data have changed since"
    if not Path(tags.get("folder", "")).is_dir():
        return f"its folder is not here: {tags.get('folder')}"
    return ""


def _remove_if_unused(folder: Path, old: Path) -> None:
    """Removes the folder of a run that became none, in which Hydra has noted the command alone."""
    if old != folder and folder.is_dir() and {entry.name for entry in folder.iterdir()} <= {".hydra"}:
        shutil.rmtree(folder)
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename).parent == folder.absolute():
                handler.baseFilename = str(old / Path(handler.baseFilename).name)  # it opens its file at the first line
