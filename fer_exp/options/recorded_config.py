"""The configuration that a finished run has recorded, and the command line that leads to a configuration again.

Called by `compress`, `reproduction` and `evaluate`, and by `loading` for a command that it tells a person. What a
store holds is data: a file of limited size, read as plain yaml, of which only keys of an experiment become overrides,
and whose texts stay texts. It must not know what the configuration is wanted for.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from fer_exp.errors import ConfigError
from fer_exp.options import commandline, config
from fer_exp.options.grammar import override
from fer_exp.process import temporary
from fer_exp.record import layout
from fer_exp.tracking import Record, Tracker

_MOST_BYTES = 2**20  # of a configuration
_MOST_NODES = 50_000  # of a configuration, what an alias stands for counted again: a kilobyte of them can be billions
_MOST_DEPTH = 50
_KEY = re.compile(r"\w[\w-]*", re.ASCII)  # what may be a part of the left side of an override
_WORDS = ("null", "true", "false", "nan", "inf")  # that Hydra takes for something else than a text


def read(tracker: Tracker, record: Record) -> dict[str, Any]:
    """Reads the configuration of a run.

    Args:
        tracker: Where the run is.
        record: The run.

    Raises:
        ConfigError: If it has recorded none, or one that cannot be read or is none of an experiment.
    """
    with temporary.folder("config") as folder:
        file = tracker.download(record.run_id, layout.RESOLVED, folder)
        if file is None:
            raise ConfigError(
                [f"`id` must be a run with {layout.RESOLVED}. Received: {record.called}, which has none."]
            )
        return yaml_mapping(file, f"{layout.RESOLVED} of run {record.run_id}")


def yaml_mapping(path: Path, called: str) -> dict[str, Any]:
    """Reads a yaml file that holds a mapping.

    Args:
        path: The file.
        called: How messages name it.

    Raises:
        ConfigError: If it is too large, packed or nested, no yaml, or no mapping.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise ConfigError([f"{called} must be at most {_MOST_BYTES:,} bytes."])
    try:
        text = path.read_text(encoding="utf-8")
        _check_size(text, called)
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, TypeError) as error:  # what PyYAML lets pass of odd dates, numbers and keys
        raise ConfigError([f"{called} must be yaml: {' '.join(str(error).split())[:200]}"]) from error
    if not isinstance(values, dict):
        raise ConfigError([f"{called} must be a mapping."])
    return {str(key): value for key, value in values.items()}


def _check_size(text: str, called: str) -> None:
    """Refuses a yaml that is too deep, or too large once its aliases are followed; nothing of it is built meanwhile."""
    sizes: dict[str, int] = {}  # nodes behind each anchor
    counts: list[tuple[str | None, int]] = [(None, 0)]  # of each collection that is open: its anchor, its nodes so far
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if len(counts) > _MOST_DEPTH or counts[-1][1] > _MOST_NODES:
            raise ConfigError(
                [f"{called} must have at most {_MOST_NODES:,} values, at most {_MOST_DEPTH} deep. It has more."]
            )
        if isinstance(event, yaml.CollectionStartEvent):
            counts.append((event.anchor, 0))
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, nodes = counts.pop()
        elif isinstance(event, yaml.ScalarEvent):
            anchor, nodes = event.anchor, 0
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:  # it is not closed yet, or there is none
                raise yaml.YAMLError(f"the alias {event.anchor} stands for nothing, or for what it stands in")
            anchor, nodes = None, sizes[event.anchor]
        else:
            continue
        if anchor is not None:
            sizes[anchor] = nodes
        counts[-1] = (counts[-1][0], counts[-1][1] + nodes + 1)


def option(group: str, node: Any, called: str) -> str:
    """Returns which option of a group a recorded node is: nothing else may stand behind `<group>=`.

    Args:
        group: Which the node is recorded for.
        node: `_target_` and the options.
        called: How messages name it.

    Raises:
        ConfigError: If its builder is none of the group.
    """
    target = str(node.get("_target_")) if isinstance(node, Mapping) else ""
    name = target.removeprefix(f"fer_exp.{group}.").removesuffix(".build")
    if group not in config.GROUPS or target != f"fer_exp.{group}.{name}.build" or not _KEY.fullmatch(name):
        raise ConfigError([f"`{called}._target_` must be fer_exp.{group}.<option>.build. Received: {target!r}."])
    return name


def as_overrides(values: Mapping[str, Any], without: Collection[str]) -> list[str]:
    """Returns the overrides that lead to a configuration: options of groups, then values that are not as composed.

    So a reference such as `schedule.peak: ${lr}` stays one, and follows when `lr` is changed. What the configuration
    does not name, because it was recorded before there was such a key, is as composed.

    Args:
        values: The resolved configuration.
        without: Keys that are left out, at the root or dotted, for example `name`, `pruning`, `tracking.uri`.

    Raises:
        ConfigError: If an option of a group does not exist, or a key is none of an experiment: only what an experiment
            knows becomes a part of a command line, where `hydra` runs code.
    """
    strangers = {key: value for key, value in values.items() if key not in (*config.Experiment.model_fields, *without)}
    if strangers:
        told = {key: " ".join(str(value).split())[:100] for key, value in strangers.items()}
        raise ConfigError([f"`{k}` is not an option of the configuration. Received: {k}={v}." for k, v in told.items()])
    groups = [group for group in config.GROUPS if group in values]
    lasting = [group for group in groups if group not in without]
    options = [f"{group}={option(group, values[group], group)}" for group in lasting]
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
    return " ".join(map(override.typed, as_overrides(values, ())))


def _different(
    values: Mapping[str, Any], composed: Mapping[str, Any], without: Collection[str], prefix: str = ""
) -> list[str]:
    found = []
    for key, value in values.items():
        path = f"{prefix}{key}"
        if not _KEY.fullmatch(str(key)):
            raise ConfigError([f"A configuration must have names of letters, digits, _ and -. Received: {path!r}."])
        if path in without or key in ("_target_", "cache_dir") or (key in composed and value == composed[key]):
            continue
        default = composed.get(key)
        if path not in config.GROUPS and default is None and isinstance(value, Mapping) and "_target_" in value:
            # A node that an option was put into, such as a source of `combine`: Hydra knows no other way to make one.
            group = [*str(value["_target_"]).split("."), ""][1]
            name = option(group, value, path)
            found.append(f"+{group}@{path}={name}")
            default = commandline.composed([f"{group}={name}"])[group]
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            found += _different(value, default, without, f"{path}.")
        else:
            found.append(f"{path}={literal(value)}")
    return found


def _key(text: str) -> str:
    """Returns a key of a mapping, which Hydra wants without quotes; some letters have no form that it can read."""
    return re.sub(r"([\\()\[\]{}:=,])", r"\\\1", text)


def literal(value: Any) -> str:
    """Returns a value as the right side of an override."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(str(key))}: {literal(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if re.fullmatch(r"[A-Za-z_/][\w/.-]*", str(value), re.ASCII) and str(value).lower() not in _WORDS:
        return str(value)
    return override.quoted(str(value))
