"""The configuration that a finished run has recorded, and the command line that leads to a configuration again.

Called by `compression` and `reproduction`, and by `experiment` for a command that it tells a person. What a store holds
is data: a file of limited size, read as plain yaml. It must not know what the configuration is wanted for.
"""

import re
import shlex
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from fer_exp import commandline, config
from fer_exp.errors import ConfigError
from fer_exp.tracking import Record, Tracker

RESOLVED = "config/resolved.yaml"
_MOST_BYTES = 2**20  # of a configuration
_WORDS = ("null", "true", "false", "nan", "inf")  # that Hydra takes for something else than a text


def read(tracker: Tracker, record: Record) -> dict[str, Any]:
    """Reads the configuration of a run.

    Args:
        tracker: Where the run is.
        record: The run.

    Raises:
        ConfigError: If it has recorded none, or one that cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="fer_exp-config-") as folder:
        file = tracker.download(record.run_id, RESOLVED, Path(folder))
        if file is None:
            raise ConfigError([f"`id` must be a run with {RESOLVED}. Received: {record.called}, which has none."])
        return yaml_mapping(file, f"{RESOLVED} of run {record.run_id}")


def yaml_mapping(path: Path, called: str) -> dict[str, Any]:
    """Reads a yaml file that holds a mapping.

    Args:
        path: The file.
        called: How messages name it.

    Raises:
        ConfigError: If it is too large, no yaml, or no mapping.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise ConfigError([f"{called} must be at most {_MOST_BYTES:,} bytes."])
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([f"{called} must be yaml: {' '.join(str(error).split())[:200]}"]) from error
    if not isinstance(values, dict):
        raise ConfigError([f"{called} must be a mapping."])
    return {str(key): value for key, value in values.items()}


def as_overrides(values: Mapping[str, Any], without: Collection[str]) -> list[str]:
    """Returns the overrides that lead to a configuration: options of groups, then values that are not as composed.

    So a reference such as `schedule.peak: ${lr}` stays one, and follows when `lr` is changed. What the configuration
    does not name, because it was recorded before there was such a key, is as composed.

    Args:
        values: The resolved configuration.
        without: Keys that are left out, at the root or dotted, for example `name`, `pruning`, `tracking.uri`.

    Raises:
        ConfigError: If an option of a group does not exist.
    """
    groups = [group for group in config.GROUPS if isinstance(values.get(group), Mapping)]
    lasting = [group for group in groups if group not in without]
    options = [f"{group}={config.option_name(values[group])}" for group in lasting]
    scalars = {key: value for key, value in values.items() if key not in (*groups, *without)}
    own = _different(scalars, commandline.composed(options), without)
    composed = commandline.composed([*options, *own])
    return [*options, *own, *_different({group: values[group] for group in lasting}, composed, without)]


def as_typed(values: Mapping[str, Any]) -> str:
    """Returns what a person types behind a command to get this part of a configuration, quoted for a shell.

    Args:
        values: Some root keys of the resolved configuration, for example `dataset` and `fold`.

    Raises:
        ConfigError: If an option of a group does not exist.
    """
    return " ".join(map(_quoted, as_overrides(values, ())))


def _quoted(word: str) -> str:
    """Quotes a word for a shell; one that holds Hydra's quotes with double ones, so that it can still be read."""
    return f'"{word}"' if "'" in word and not re.search(r'["$`\\!]', word) else shlex.quote(word)


def _different(
    values: Mapping[str, Any], composed: Mapping[str, Any], without: Collection[str], prefix: str = ""
) -> list[str]:
    found = []
    for key, value in values.items():
        path = f"{prefix}{key}"
        if path in without or key in ("_target_", "cache_dir") or (key in composed and value == composed[key]):
            continue
        default = composed.get(key)
        if path not in config.GROUPS and default is None and isinstance(value, Mapping) and "_target_" in value:
            # A node that an option was put into, such as a source of `combine`: Hydra knows no other way to make one.
            group, option = str(value["_target_"]).split(".")[1], config.option_name(value)
            found.append(f"+{group}@{path}={option}")
            default = commandline.composed([f"{group}={option}"])[group]
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            found += _different(value, default, without, f"{path}.")
        else:
            found.append(f"{path}={literal(value)}")
    return found


def literal(value: Any) -> str:
    """Returns a value as the right side of an override."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(str(key))}: {literal(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if re.fullmatch(r"[A-Za-z_/][\w/.-]*", str(value), re.ASCII) and str(value).lower() not in _WORDS:
        return str(value)
    quoted = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{quoted}'"
