"""Names that every tracking server takes as those of metrics, params and tags.

Called by `metrics` and `tables`, where names of classes become parts of a metric's name, and by `mlflow_run` for all
that a run records. It must not know MLflow.

MLflow takes letters and digits of any script, `_ . - : /` and the space, 250 in all, and no name that would be another
one as the path of a file (`a//b`, `../a`). A folder may be called anything: `happy (smile)!`, `50 %`, or letters that a
Mac writes as two signs each.
"""

import logging
import posixpath
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

INPUTS = "inputs"  # tag of a run: what its model takes, as JSON
MOST_LETTERS = 250  # of a whole name
_MOST_OF_A_TAG = 8000  # letters of its value; a database may refuse more
_MOST_OF_A_PART = 100  # what stands before and behind it takes up to 50, and there may be two
_MOST_TOLD = 10  # names, in a warning
_STRANGE = re.compile(r"[^\w.\- ]")  # a colon is none of the signs that every server takes
_TAKEN = re.compile(r"[/\w.\- :]+")
_log = logging.getLogger(__name__)


def metric_names(names: Sequence[str]) -> tuple[str, ...]:
    """Returns what stands for each name between the slashes of a metric's name; all are different.

    A name that can stay as it is does. In the others `_` stands for each sign that a server may refuse, and a number
    behind them tells those apart that would be the same, also to a database that makes no difference between capitals
    and small letters.

    Args:
        names: All different, such as those of the classes of a data set.
    """
    plain = [_plain(name) for name in names]
    taken = {part.casefold() for name, part in zip(names, plain, strict=True) if name == part}
    kept: set[str] = set()
    found = []
    for name, part in zip(names, plain, strict=True):
        key = part.casefold()
        if name != part or key in kept:
            part = _numbered(part, taken | kept)
            key = part.casefold()
        kept.add(key)
        found.append(part)
    return tuple(found)


def changed(names: Sequence[str]) -> dict[str, str]:
    """Returns which names cannot stay as they are, and what stands for each."""
    return {name: part for name, part in zip(names, metric_names(names), strict=True) if name != part}


def tell(what: str, names: Sequence[str]) -> None:
    """Warns of names that stand otherwise in the names of metrics.

    Args:
        what: Is called so: `classes`.
        names: All of them.
    """
    if found := changed(names):
        pairs = [f"{name!r} {part!r}" for name, part in found.items()]
        more = f" and {len(pairs) - _MOST_TOLD} more" if len(pairs) > _MOST_TOLD else ""
        _log.warning(
            "The tracking server does not take every sign in the name of a metric. There %s are called otherwise: %s. "
            "Pictures and tables keep the names; the column metric_name of the tables tells what each became.",
            what, ", ".join(pairs[:_MOST_TOLD]) + more,
        )  # fmt: skip


def keyed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns values under names that a server takes; those that it takes as they are stay, the others are told.

    Args:
        values: By name: params, tags or metrics of a run.
    """
    fit = {name: value for name, value in values.items() if is_taken(name)}
    taken = {name.casefold() for name in fit}
    for name in [name for name in values if name not in fit]:
        path = "/".join(_plain(part) for part in name.split("/") if part)
        said = _numbered(path[:MOST_LETTERS].rstrip("/") or "_", taken)
        taken.add(said.casefold())
        fit[said] = values[name]
        _log.warning("The tracking server does not take the name %r: it is recorded as %r.", name, said)
    return fit


def texts(tags: Mapping[str, Any]) -> dict[str, str]:
    """Returns tags as a server takes them: names as of `keyed`, values as texts, the end of very long ones left out."""
    found = {}
    for name, value in keyed(tags).items():
        text = str(value)
        if len(text) > _MOST_OF_A_TAG:
            _log.warning("The tag %s has %s letters; the first %s are recorded.", name, len(text), _MOST_OF_A_TAG)
        found[name] = text if len(text) <= _MOST_OF_A_TAG else text[: _MOST_OF_A_TAG - 3] + "..."
    return found


def is_taken(name: str) -> bool:
    """Tells whether a server takes a name as it is."""
    if len(name) > MOST_LETTERS or not _TAKEN.fullmatch(name):
        return False
    path = posixpath.normpath(name)
    return path == name and not path.startswith(("/", "..")) and path != "."


def _plain(name: str) -> str:
    """Returns a name made of signs that every server takes."""
    part = _STRANGE.sub("_", unicodedata.normalize("NFC", name))[:_MOST_OF_A_PART] or "_"
    return part.replace(".", "_") if part.startswith("..") or part == "." else part


def _numbered(part: str, taken: set[str]) -> str:
    """Returns the name, with the first number behind it that makes it new if it is not."""
    found, number = part, 2
    while found.casefold() in taken:
        end = f"_{number}"
        found, number = part[: MOST_LETTERS - len(end)] + end, number + 1
    return found
