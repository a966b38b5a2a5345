"""Files are put whole or not at all, and a place where none can be put is told before minutes of work.

Called by the commands and by all that writes a file in the place of another. What only trying can tell, such as a full
disk, is told by whoever writes.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def objection(folder: Path) -> str:
    """Returns why no files can be put into a folder; empty if nothing is known against it.

    Args:
        folder: It may not be there yet, nor those above it, which are made with it.
    """
    for above in (folder.absolute(), *folder.absolute().parents):
        if os.path.lexists(above):
            if not above.is_dir():
                return f"{above} is no folder"
            return "" if os.access(above, os.W_OK | os.X_OK) else f"{above} cannot be written"
    return ""


@contextmanager
def put(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Gives a path beside another one to write to; that file takes the other's place once it is whole, or is removed.

    A kill at any moment leaves the old file or the new one. It may leave what was being written, under a hidden name
    that ends like the other.

    Args:
        path: Of the file; its folder is made if needed.
        durable: The new file is on the disk before the old one is gone, whatever happens to the machine.

    Raises:
        OSError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid.uuid4().hex[:8]}.{path.name}")
    try:
        yield part
        if durable:  # a rename that outlives its content would leave an empty file after a crash
            with part.open("rb") as file:
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
