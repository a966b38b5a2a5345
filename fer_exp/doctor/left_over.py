"""What killed processes have left on the disk and nobody needs: the state of finished trainings, temporary files.

Called by the doctor's command line. It removes only when asked, and only what no process holds.
"""

import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fer_exp.fit import snapshot
from fer_exp.process import temporary
from fer_exp.reporting.terminal import printable
from fer_exp.run import owner
from fer_exp.tracking import Tracker

_SNAPSHOTS, _TEMPORARY = "to continue a run that has finished", "temporary, of a process that is gone"


@dataclass(frozen=True)
class LeftOver:
    """A folder or a file that nobody needs.

    Attributes:
        path: Where it is.
        what: It is, for people.
        run: Folder of the run that it belongs to; None if it is temporary.
    """

    path: Path
    what: str
    run: Path | None = None

    @property
    def size(self) -> int:
        """Bytes of all files in it."""
        files = [self.path, *self.path.rglob("*")] if self.path.is_dir() else [self.path]
        return sum(file.lstat().st_size for file in files if file.is_file() and not file.is_symlink())

    def remove(self) -> bool:
        """Removes it, unless somebody is at work there; tells whether it is gone."""
        if self.run is None:
            return temporary.remove(self.path)
        lock = owner.lock(self.run)
        if lock is None:
            return False
        try:
            shutil.rmtree(self.path)
        finally:
            lock.release()
        return True


def find(tracker: Tracker) -> list[LeftOver]:
    """Looks in the folders of the finished runs of this host, and in the temporary folder.

    Args:
        tracker: Where the runs are.
    """
    here = [tags for tags in tracker.finished()["tags"] if tags.get(owner.HOST) == socket.gethostname()]
    folders = dict.fromkeys(Path(tags["folder"]) for tags in here if "folder" in tags)
    of_runs = [LeftOver(path, _SNAPSHOTS, run) for run in folders for path in snapshot.left_in(run) if _is_free(run)]
    return [*of_runs, *(LeftOver(path, _TEMPORARY) for path in temporary.left_over())]


def show(found: Sequence[LeftOver], clean: bool, screen: Console) -> int:
    """Shows what is left over, and removes it if asked to.

    Args:
        found: From `find`.
        clean: Whether to remove it.
        screen: Where it is told.

    Returns:
        How many are still there.
    """
    if not found:
        return 0
    table = Table("left over", "what", "MB")
    for one in found:
        table.add_row(Text(printable(str(one.path)), overflow="fold"), one.what, f"{one.size / 1e6:,.1f}")
    size = sum(one.size for one in found) / 1e6
    screen.print(table)
    gone = sum(one.remove() for one in found) if clean else 0
    done = f"{gone} of {len(found)} removed" if clean else f"{len(found)} left over; --clean removes them"
    screen.print(f"{done} ({size:,.1f} MB).", highlight=False)
    return len(found) - gone


def _is_free(run: Path) -> bool:
    """Tells whether no process is at work in the folder of a run: one that has just finished cleans up itself."""
    lock = owner.lock(run)
    if lock is None:
        return False
    lock.release()
    return True
