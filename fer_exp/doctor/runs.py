"""Runs that say RUNNING although their process is gone, and what such processes have left on the disk.

Called by the doctor's command line. It changes a run, or removes something, only when asked.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fer_exp.doctor import left_over
from fer_exp.record import outbox, store
from fer_exp.reporting.terminal import printable
from fer_exp.run import owner
from fer_exp.tracking import Tracker

_MEANING = {
    "alive": "its process is at work",
    "gone": "its process is gone",
    "kept": "its process is gone; how it ended waits in its outbox: python -m fer_exp.sync",
    "elsewhere": "started on another host: ask there",
    "unknown": "does not say who owns it: ended by hand only",
}


def runs(overrides: list[str], mark_killed: bool, clean: bool, screen: Console) -> int:
    """Shows the runs that say RUNNING, and marks those whose process is gone as KILLED if asked to.

    Then it shows what killed processes have left, and removes it if asked to.

    Args:
        overrides: As of the command line; what they say of `tracking` counts.
        mark_killed: Whether to change runs.
        clean: Whether to remove anything.
        screen: Where the table goes.

    Returns:
        How many runs without a process, and how many folders and files that nobody needs, are as they were.

    Raises:
        UserError: If an override is wrong, or there is no database at the tracking URI.
    """
    tracker = store.existing(overrides)
    found = _running(tracker, mark_killed, screen)
    return found + left_over.show(left_over.find(tracker), clean, screen)


def _running(tracker: Tracker, mark_killed: bool, screen: Console) -> int:
    running = tracker.running()
    states = [_state(tags) for tags in running["tags"]]
    orphans = running["run_id"][[state == "gone" for state in states]]
    waiting = states.count("kept")
    if running.empty:
        screen.print(f"No run says RUNNING in {tracker.uri}.", highlight=False, soft_wrap=True)
        return 0
    screen.print(_table(running, states))
    if mark_killed:
        for run_id in orphans:
            tracker.kill(run_id)
    done = "marked as KILLED" if mark_killed else "owned by no process; --mark-killed sets them to KILLED"
    screen.print(f"{len(orphans)} of {len(running)} runs {done}.", highlight=False)
    if waiting:
        screen.print(f"{waiting} ended while the server was away: python -m fer_exp.sync delivers it.", highlight=False)
    return 0 if mark_killed else len(orphans) + waiting


def _state(tags: Mapping[str, str]) -> str:
    """Returns what is known of a run's process; `kept` if its outbox says how it ended."""
    state, folder = owner.state(tags), Path(tags.get("folder", ""))
    if state != "gone" or "folder" not in tags or not outbox.exists(folder):
        return state
    kept = outbox.read(folder)
    return "kept" if kept and any(record["kind"] == "status" for _, record in kept.records) else state


def _table(running: pd.DataFrame, states: Sequence[str]) -> Table:
    table = Table("run", "name", "since", "host", "process", "finding")
    for (_, run), state in zip(running.iterrows(), states, strict=True):
        tags = run["tags"]
        since = run["started"].strftime("%Y-%m-%d %H:%M")
        name = Text(printable(run["name"]))  # as text: names may look like markup
        table.add_row(run["run_id"], name, since, tags.get(owner.HOST), tags.get(owner.PID), _MEANING[state])
    return table
