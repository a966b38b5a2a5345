"""What of a folder is not read, said in one line and noted.

Called by the readers of data sets that are folders. It must not know what the folders mean.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_exp.data import image_formats

_SHOWN = 5  # names in the line
_log = logging.getLogger(__name__)


def told(
    root: Path,
    files: Sequence[str] = (),
    outside: Sequence[str] = (),
    folders: Sequence[str] = (),
    counts: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Says what is left out, and why.

    Args:
        root: The folder of the data set.
        files: Paths of files that are not read as pictures.
        outside: Paths of files that are outside of all folders that are read.
        folders: Names of folders that are not read, because they are no splits.
        counts: How many of something else are left out, by what it is, with the reason; the caller notes them.

    Returns:
        What is worth recording; empty if nothing is left out.
    """
    pictures = [path for path in outside if image_formats.is_picture(path)]
    others = [*files, *(path for path in outside if not image_formats.is_picture(path))]
    parts = [f"{count:,} {what}" for what, count in (counts or {}).items() if count]
    parts += [kinds] if (kinds := image_formats.by_kind(others)) else []
    if pictures:
        parts.append(f"{len(pictures):,} pictures outside of the class folders, such as {pictures[0]}")
    if folders:
        named = ", ".join(folders[:_SHOWN]) + (" ..." if len(folders) > _SHOWN else "")
        parts.append(f"the folders {named} (not known as train, val or test)")
    if parts:
        _log.warning("%s: left out are %s.", root, ", ".join(parts))
    numbers = {"ignored_files": len(others), "pictures_outside": len(pictures)}
    notes: dict[str, Any] = {name: count for name, count in numbers.items() if count}
    notes |= {"ignored_kinds": kinds} if kinds else {}
    return notes | ({"ignored_folders": list(folders)} if folders else {})
