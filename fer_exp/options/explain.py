"""What is wrong with a value, in one line that names key, rule, value received and the nearest valid key.

Called by `config` with what pydantic found. It knows how messages read, not what the options mean.
"""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fer_exp.signature import Signature, read

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PACKAGE = Path(__file__).parents[1]
_ABSENT = object()


def describe(
    error: ValidationError,
    values: Mapping[str, Any],
    prefix: str,
    docs: Mapping[str, str],
    known: list[str],
    owner: str,
) -> list[str]:
    """Turns pydantic's findings into one line for each key.

    Args:
        error: What pydantic found.
        values: What it looked at.
        prefix: What stands before the keys, for example `model.`.
        docs: Sentence about each key.
        known: The valid keys.
        owner: What the keys belong to, for example `model=cnn`.
    """
    rules: dict[tuple[Any, ...], list[str]] = {}
    for finding in error.errors():
        path = _path_in(values, finding["loc"])
        rules.setdefault(path, []).append(_rule(finding))
    lines = []
    for path, messages in rules.items():
        if any(other[: len(path)] == path and other != path for other in rules):
            continue  # a union's other branches; the problem lies deeper
        key = prefix + ".".join(str(part) for part in path)
        received = _value_at(values, path)
        doc = f" {docs[str(path[0])]}" if str(path[0]) in docs else ""
        if received is _ABSENT:
            lines.append(f"`{key}` of {owner} must be given: {key}=<value>.{doc}")
        elif messages == [""]:
            lines.append(
                f"`{key}` is not an option of {owner}. Received: {key}={received}.{_hint(prefix, path, known)}"
            )
        else:
            unique = dict.fromkeys(
                m.replace("Input should be ", "").replace("Value error, ", "") for m in messages if m
            )
            lines.append(f"`{key}` must be {' or '.join(unique)}. Received: {key}={_shown(received)}.{doc}")
    return lines


def _rule(finding: "ErrorDetails") -> str:
    if finding["type"] in ("extra_forbidden", "missing"):
        return ""
    if finding["type"] == "too_short":
        least = finding["ctx"]["min_length"]
        return f"a list of at least {least} value{'s' * (least != 1)}"
    return finding["msg"]


def _hint(prefix: str, path: tuple[Any, ...], known: list[str]) -> str:
    """Suggests the nearest valid key, or the sibling option that has this one."""
    key = str(path[-1])
    if len(path) > 1:
        return ""
    nearest = difflib.get_close_matches(key, known, n=1)
    if nearest:
        return f" Did you mean `{prefix}{nearest[0]}`?"
    group = prefix.rstrip(".")
    owners = [signature for signature in siblings(group) if key in signature.options] if group else []
    if owners:
        return " It belongs to " + " and ".join(f"{group}={o.target.split('.')[-2]}" for o in owners) + "; choose one."
    return f" Its options: {', '.join(known)}." if known else " It has no options."


def siblings(group: str) -> Iterator[Signature]:
    """Yields the signature of every option of a group."""
    for path in sorted((_PACKAGE / group.replace(".", "/")).glob("*.py")):
        if path.name != "__init__.py":
            yield read(f"fer_exp.{group}.{path.stem}.build")


def _path_in(values: Any, location: tuple[Any, ...]) -> tuple[Any, ...]:
    """Drops from pydantic's location the names of union branches, which are not keys."""
    path: list[Any] = []
    for part in location:
        if (isinstance(values, Mapping) and part in values) or (isinstance(values, list) and isinstance(part, int)):
            values = values[part]
        elif path:
            continue
        path.append(part)
    return tuple(path)


def _value_at(values: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return values


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)
