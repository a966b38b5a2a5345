"""What a chain of compression stages consists of: a preset, a finished run, and the command line of each stage.

Called by `compress`. A stage is a plain `python -m fer_exp ...`: the configuration of the source run, then what the
preset says, then what the user says. It must not know how stages are run.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fer_exp import commandline, config, fingerprint
from fer_exp.errors import ConfigError
from fer_exp.explain import describe
from fer_exp.tracking import Record, Tracker

FOLDER = config.CONF / "compression"
DEFAULT = "prune_distil_quantize"
_RESOLVED = "config/resolved.yaml"
_MOST_BYTES = 2**20  # of a configuration
_WORDS = ("null", "true", "false", "nan", "inf")  # that Hydra takes for something else than a text
# What a stage does not take over: where things go, and what made the source what it is.
_OWN = ("name", "resume", "cache_dir", "pruning", "distillation", "tracking.uri")


class Stage(BaseModel):
    """One training of the chain.

    Attributes:
        name: Small letters, digits and underscores; `<name>:key=value` on the command line speaks to this stage alone.
        overrides: As of `python -m fer_exp`; `${source}` and `${previous}` stand for ids of runs.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    overrides: Annotated[list[str], Field(min_length=1)]


class Preset(BaseModel):
    """A chain, as a yaml says it.

    Attributes:
        stages: In the order they are run, at least one.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    stages: Annotated[list[Stage], Field(min_length=1)]


@dataclass(frozen=True)
class Chain:
    """A chain that can be run.

    Attributes:
        preset: Its name.
        source: The run that is compressed.
        first: Checked configuration of the first stage.
        fingerprint: What two commands share if they ask for the same chain.
    """

    preset: str
    source: Record
    first: config.Experiment
    fingerprint: str
    stages: tuple[Stage, ...]

    def arguments(self, number: int, previous: str) -> list[str]:
        """Returns the command line of a stage.

        Args:
            number: Of the stage, from 0.
            previous: Id of the run that it goes on from.
        """
        known = {"source": self.source.run_id, "previous": previous}
        return [re.sub(r"\$\{(source|previous)\}", lambda m: known[m[1]], o) for o in self.stages[number].overrides]


def read(name: str) -> Preset:
    """Reads a preset.

    Args:
        name: Of a file in conf/compression, or the path of a yaml file.

    Raises:
        ConfigError: If there is no such file, or if it is no chain.
    """
    path = Path(name).expanduser() if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.is_file() or (path.parent == FOLDER and "/" in name):
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise ConfigError([f"`compression` must be one of {known}, or a yaml file. Received: compression={name}."])
    values = _yaml(path, f"`compression` {path}")
    try:
        preset = Preset(**values)
    except ValidationError as error:
        raise ConfigError(describe(error, values, "", {}, list(Preset.model_fields), f"compression {path}")) from error
    names = [stage.name for stage in preset.stages]
    if len(set(names)) < len(names):
        raise ConfigError([f"`stages` of compression {path} must have different names. Received: {', '.join(names)}."])
    return preset


def plan(tracker: Tracker, source: Record, name: str, overrides: Sequence[str]) -> Chain:
    """Puts the stages together and checks all of them before the first is run.

    Args:
        tracker: Where the source is.
        source: The run that is compressed.
        name: Of the preset.
        overrides: Of the user: `key=value` for all stages, `<stage>:key=value` for one.

    Raises:
        ConfigError: With all that is wrong in all stages.
    """
    preset = read(name)
    base = _as_overrides(_configuration(tracker, source))
    for_all, for_one = _addressed(overrides, [stage.name for stage in preset.stages])
    stages = tuple(
        Stage(
            name=stage.name,
            overrides=_combined(
                [*base, f"name={_literal(f'{source.name[:150]} | {stage.name}')}"],
                stage.overrides, for_all, for_one.get(stage.name, []),
            ),
        )
        for stage in preset.stages
    )  # fmt: skip
    problems: dict[str, None] = {}
    checked: list[config.Experiment] = []
    chain = Chain(name, source, config.Experiment.model_construct(), "", stages)
    for number, stage in enumerate(stages):
        try:
            jobs = commandline.check(chain.arguments(number, source.run_id))
            checked += [jobs.first] if jobs else []
        except ConfigError as error:
            problems |= dict.fromkeys(f"{problem} (stage {stage.name})" for problem in error.problems)
    if problems:
        raise ConfigError(list(problems))
    if checked[0].resume not in ("auto", "never"):
        raise ConfigError([f"`resume` of a chain must be auto or never. Received: resume={checked[0].resume}."])
    identity = fingerprint.of({"compression": [fingerprint.of(experiment.model_dump()) for experiment in checked]})
    return Chain(name, source, checked[0], identity, stages)


def _configuration(tracker: Tracker, source: Record) -> dict[str, Any]:
    """Reads the configuration that a run has recorded."""
    with tempfile.TemporaryDirectory(prefix="fer_exp-chain-") as folder:
        file = tracker.download(source.run_id, _RESOLVED, Path(folder))
        if file is None:
            raise ConfigError(
                [f"`id` must be a run with {_RESOLVED}. Received: {source.run_id} ({source.name}), which has none."]
            )
        return _yaml(file, f"{_RESOLVED} of run {source.run_id}")


def _yaml(path: Path, called: str) -> dict[str, Any]:
    if path.stat().st_size > _MOST_BYTES:
        raise ConfigError([f"{called} must be at most {_MOST_BYTES:,} bytes."])
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([f"{called} must be yaml: {' '.join(str(error).split())[:200]}"]) from error
    if not isinstance(values, dict):
        raise ConfigError([f"{called} must be a mapping."])
    return {str(key): value for key, value in values.items()}


def _as_overrides(values: Mapping[str, Any]) -> list[str]:
    """Returns the overrides that lead to a configuration: options of groups, then values that are not as composed.

    So a reference such as `schedule.peak: ${lr}` stays one, and follows when a stage changes `lr`.
    """
    groups = [group for group in config.GROUPS if isinstance(values.get(group), Mapping)]
    lasting = [group for group in groups if group not in _OWN]
    options = [f"{group}={config.option_name(values[group])}" for group in lasting]
    scalars = {key: value for key, value in values.items() if key not in (*groups, *_OWN)}
    own = _different(scalars, commandline.composed(options))
    composed = commandline.composed([*options, *own])
    return [*options, *own, *_different({group: values[group] for group in lasting}, composed)]


def _different(values: Mapping[str, Any], composed: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in values.items():
        path, default = f"{prefix}{key}", composed.get(key)
        if path in _OWN or value == default or key == "_target_":
            continue
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            found += _different(value, default, f"{path}.")
        else:
            found.append(f"{path}={_literal(value)}")
    return found


def _literal(value: Any) -> str:
    """Returns a value as the right side of an override."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(str(key))}: {_literal(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if re.fullmatch(r"[A-Za-z_][\w/.-]*", str(value)) and str(value).lower() not in _WORDS:
        return str(value)
    quoted = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{quoted}'"


def _addressed(overrides: Sequence[str], stages: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Divides the user's overrides into those of all stages and those of one."""
    for_all: list[str] = []
    for_one: dict[str, list[str]] = {}
    for override in overrides:
        stage, colon, rest = override.partition("=")[0].partition(":")
        if not colon:
            for_all.append(override)
        elif stage not in stages:
            raise ConfigError([f"`{stage}:{rest}` must begin with a stage: {', '.join(stages)}. Received: {override}."])
        else:
            for_one.setdefault(stage, []).append(override.removeprefix(f"{stage}:"))
    return for_all, for_one


def _combined(*layers: Sequence[str]) -> list[str]:
    """Joins layers of overrides: a later one replaces an earlier one, and another option of a group all its values."""
    found: dict[str, str] = {}
    for layer in layers:
        own = {override.lstrip("+~").partition("=")[0]: override for override in layer}
        chosen = [f"{key}." for key in own if key in config.GROUPS]
        found = {key: o for key, o in found.items() if key not in own and not key.startswith(tuple(chosen))} | own
    return list(found.values())
