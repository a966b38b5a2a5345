"""The files that a data set is read from, and those of them that a run keeps: which options name them, and where.

Called by `experiment`, which records them, and by `reproduction`, for which they may lie elsewhere than they did. A
data set is a node of the configuration here; one that is put together from others holds their nodes under `sources`.
"""

import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fer_exp import signature

MOST_BYTES = 5 * 10**6  # of a file that is kept with a run
_KEPT = ("exclude", "relabel")  # written by the doctor, into a folder that may be deleted
_SOURCES = "sources"
_MISSING = "???"  # as Hydra writes what must be given
_log = logging.getLogger(__name__)


def options(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options that name files or folders, for example `path` or `sources.fer2013.path`, and their values.

    Those of nothing that can be read, such as a data set that does not exist any more, are left out.

    Args:
        dataset: Node of the data set.
    """
    return dict(_options(dataset))


def _options(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    target = str(node.get("_target_"))
    if not target.startswith("fer_exp.dataset."):  # a recorded node is text from outside, and this would import it
        return
    try:
        names = signature.read(target).input_paths
    except LookupError:
        return
    yield from ((f"{prefix}{name}", node.get(name)) for name in names)
    sources = node.get(_SOURCES)
    for name, source in sources.items() if isinstance(sources, Mapping) else ():
        if isinstance(source, Mapping):
            yield from _options(source, f"{prefix}{_SOURCES}.{name}.")


def absolute(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a node in which no path depends on the working directory; `~` stays, which does not.

    Args:
        dataset: Node of the data set.
    """
    found = dict(dataset)
    for key, path in options(dataset).items():
        if isinstance(path, str) and path != _MISSING and not Path(path).expanduser().is_absolute():
            found = _changed(found, key.split("."), str(Path(path).absolute()))
    return found


def _changed(node: Mapping[str, Any], keys: list[str], value: str) -> dict[str, Any]:
    first, *rest = keys
    return {**node, first: _changed(node[first], rest, value) if rest else value}


def kept_as(key: str) -> str | None:
    """Returns the name under which a run keeps the file of an option; None if it does not.

    Args:
        key: As of `options`, for example `exclude`.
    """
    return f"dataset.{key}.csv" if key.rpartition(".")[2] in _KEPT else None


def keep(dataset: Mapping[str, Any], folder: Path) -> None:
    """Copies the files that correct a data set; one that is too large is left out, with a warning.

    Args:
        dataset: Node of the data set.
        folder: Where the copies go.
    """
    for key, path in options(dataset).items():
        name = kept_as(key)
        if name is None or path is None:
            continue
        file = Path(path).expanduser()
        if file.stat().st_size > MOST_BYTES:
            _log.warning(
                "%s is not kept with the run: it has more than %s bytes. Keep it yourself: without it the run cannot "
                "be repeated.", file, f"{MOST_BYTES:,}",
            )  # fmt: skip
        else:
            shutil.copyfile(file, folder / name)
