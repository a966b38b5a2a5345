"""Temporary folders, and what processes that were killed have left of them.

Called by whoever needs a folder for a while, and by the doctor. A process that is killed removes nothing. So each
folder holds a lock, which the system frees however its process ends: what nobody holds, nobody needs.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "fer_exp-"
_LOCK, _CONTENT = ".lock", "content"


@contextmanager
def folder(what: str) -> Iterator[Path]:
    """Makes an empty folder that is gone afterwards.

    Args:
        what: It is for, in its name for people.
    """
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{what}-") as name, FileLock(Path(name) / _LOCK):
        content = Path(name) / _CONTENT
        content.mkdir()
        yield content


def left_over() -> list[Path]:
    """Returns folders of `folder`, and files of locks, in the temporary folder whose process is gone, by name.

    Those of other people are none of ours, and neither is a folder without a lock: it may be just being made.
    """
    return [
        path for path in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")) if _is_ours(path) and _is_free(path)
    ]


def remove(path: Path) -> bool:
    """Removes what is left over, unless somebody has taken it meanwhile.

    Args:
        path: From `left_over`.

    Returns:
        Whether it is gone.
    """
    lock = FileLock(_lock_of(path))
    try:
        # Whoever opens the file of a lock while it is removed sees that it has no name any more, and makes a new one.
        with lock.acquire(timeout=0):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    except (Timeout, OSError):
        return not path.exists()
    return True


def _lock_of(path: Path) -> Path:
    return path / _LOCK if path.is_dir() else path


def _is_ours(path: Path) -> bool:
    try:
        is_lock = path.name.endswith(".lock") if not path.is_dir() else (path / _LOCK).is_file()
        return is_lock and not path.is_symlink() and path.stat().st_uid == os.getuid()
    except OSError:  # removed since it was listed
        return False


def _is_free(path: Path) -> bool:
    with contextlib.suppress(Timeout, OSError), FileLock(_lock_of(path)).acquire(timeout=0):
        return True
    return False
