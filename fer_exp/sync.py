"""Delivers what runs have recorded while their tracking server was away.

    python -m fer_exp.sync                                        every outbox below outputs/ and multirun/
    python -m fer_exp.sync outputs/2026-01-31/12-00-00            that of one run
    python -m fer_exp.sync tracking.uri=http://127.0.0.1:5001     to a server that has moved

Exits with 0 if everything was delivered, with 1 if something is still kept. An outbox whose run is at work is left to
it. Doing it twice is harmless. What follows the folders are overrides as of `python -m fer_exp`.
"""

import functools
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from fer_exp.errors import ConfigError, StorageError, TrackingError
from fer_exp.options import commandline, config
from fer_exp.record import layout, outbox
from fer_exp.reporting import command, terminal
from fer_exp.run import owner
from fer_exp.tracking import Tracker, database, tracking_uri

_ROOTS = ("outputs", "multirun")


@command.framed
def main() -> int:
    """Runs the command line."""
    parser = command.parser("fer_exp.sync", __doc__)
    parser.add_argument("arguments", nargs="*", metavar="FOLDER | key=value", help="of runs, or above them")
    arguments = command.parsed(parser).arguments
    overrides = [entry for entry in arguments if "=" in entry and not Path(entry).exists()]
    roots = [Path(entry) for entry in arguments if entry not in overrides]
    return 1 if sync(roots, overrides, terminal.opened()) else 0


def sync(roots: Sequence[Path], overrides: Sequence[str], screen: Console) -> int:
    """Delivers every outbox in and below some folders.

    Args:
        roots: Where to look; none means `outputs` and `multirun` in the working directory.
        overrides: As of the command line; what they say of `tracking` counts, before what the outboxes say.
        screen: Told, for each run, what became of it.

    Returns:
        How many outboxes are still there.

    Raises:
        ConfigError: If a folder is not there or an override is wrong.
    """
    missing = [f"`FOLDER` must exist. Received: {root}." for root in roots if not root.is_dir()]
    if missing:
        raise ConfigError(missing)
    jobs = commandline.check(list(overrides))
    node = jobs.first.tracking if jobs else {}
    say = functools.partial(screen.print, highlight=False, soft_wrap=True, markup=False)
    found = outbox.find(roots or [Path(name) for name in _ROOTS])
    kept, parents = 0, dict[str, Tracker]()
    for number, folder in enumerate(found, 1):
        try:
            said = _deliver(folder, node, parents)
        except (TrackingError, StorageError) as error:
            kept, said = kept + 1, f"still kept: {error}"
        say(f"[{number}/{len(found)}] {folder}: {said}")
    kept += _finish_again(parents, say)
    say("There is no outbox here." if not found else f"{len(found) - kept} of {len(found)} outboxes delivered.")
    return kept


def _deliver(folder: Path, node: Mapping[str, Any], parents: dict[str, Tracker]) -> str:
    from fer_exp.run.sweep import finish  # pandas takes a moment, and there is often nothing to deliver

    lock = owner.lock(folder)
    if lock is None:
        raise TrackingError("its run is at work, and delivers it itself.")
    try:
        kept = outbox.read(folder)
        if kept is None:
            shutil.rmtree(folder / layout.OUTBOX)
            return "nothing had been recorded yet"
        header = kept.header
        tracker = _tracker(node, header)
        told: list[str] = []
        count = tracker.deliver(folder, lambda run_id: told.append(finish(tracker, run_id)))
        if header.parent:
            parents[header.parent] = tracker
    finally:
        lock.release()
    if {entry.name for entry in folder.iterdir()} == {owner.LOCK}:
        shutil.rmtree(folder)
    return " ".join(
        [f"{count} records of run {header.run_id} ({header.run_name}) delivered to {tracker.uri}", *filter(None, told)]
    )


def _tracker(node: Mapping[str, Any], header: outbox.Header) -> Tracker:
    uri = tracking_uri(node.get("uri") or header.uri)
    file = database(uri)
    if file is not None and not file.is_file():  # opening it would make an empty one
        raise TrackingError(f"there is no {file}. Name the database with tracking.uri=sqlite:///...")
    tracker: Tracker = config.build(node, uri=uri, experiment=header.experiment)
    return tracker


def _finish_again(parents: Mapping[str, Tracker], say: Callable[[str], None]) -> int:
    """Makes the leaderboards of ended sweeps again whose children have arrived late; returns how many it could not."""
    from fer_exp.run.sweep import finish

    failed = 0
    for parent_id, tracker in parents.items():
        try:
            attempt = tracker.attempt(parent_id)
            if attempt is not None and attempt.status != "RUNNING":  # one that is at work does it at its end
                finish(tracker, parent_id)
                say(f"Leaderboard of sweep {parent_id} ({attempt.name}) made again.")
        except TrackingError as error:
            failed += 1
            say(f"Leaderboard of sweep {parent_id} could not be made again: {error} Say the same once more.")
    return failed


if __name__ == "__main__":
    main()
