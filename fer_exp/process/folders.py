"""Whether files can be put where a command is going to put them, told before it works for minutes.

Called by the commands. It writes nothing: what only trying can tell, such as a full disk, is told by whoever writes.
"""

import os
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
