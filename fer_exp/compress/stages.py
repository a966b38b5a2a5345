"""What a chain of compression stages consists of: a preset, a finished run, and the command line of each stage.

Called by `compress`. A stage is a plain `python -m fer_exp ...`: the configuration of the source run, then what the
preset says, then what the user says. It must not know how stages are run.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fer_exp.errors import ConfigError
from fer_exp.options import commandline, config, fingerprint, recorded_config
from fer_exp.options.explain import describe
from fer_exp.tracking import Record, Tracker

FOLDER = config.CONF / "compression"
DEFAULT = "prune_distil_quantize"
# What a stage does not take over: where things go, and what made the source what it is.
_OWN = ("name", "resume", "cache_dir", "pruning", "distillation", "tracking.uri", "registered_model")
_OF_THE_LAST = "registered_model"  # only what comes out at the end of a chain is for others to use


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
        registered_model: Name under which the model of the last stage is registered; None: it is not.
        fingerprint: What two commands share if they ask for the same chain.
    """

    preset: str
    source: Record
    first: config.Experiment
    registered_model: str | None
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
    values = recorded_config.yaml_mapping(path, f"`compression` {path}")
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
        overrides: Of the user: `key=value` for all stages, `<stage>:key=value` for one. `registered_model=` is for the
            last one, and is not taken over from the source.

    Raises:
        ConfigError: With all that is wrong in all stages.
    """
    preset = read(name)
    base = recorded_config.as_overrides(recorded_config.read(tracker, source), _OWN)
    last = preset.stages[-1].name
    addressed = [f"{last}:{word}" if word.lstrip("+").startswith(f"{_OF_THE_LAST}=") else word for word in overrides]
    for_all, for_one = _addressed(addressed, [stage.name for stage in preset.stages])
    stages = tuple(
        Stage(
            name=stage.name,
            overrides=_combined(
                [*base, f"name={recorded_config.literal(f'{source.name[:150]} | {stage.name}')}"],
                stage.overrides, for_all, for_one.get(stage.name, []),
            ),
        )
        for stage in preset.stages
    )  # fmt: skip
    refused: dict[str, list[str]] = {}
    checked: list[config.Experiment] = []
    chain = Chain(name, source, config.Experiment.model_construct(), None, "", stages)
    for number, stage in enumerate(stages):
        try:
            jobs = commandline.check(chain.arguments(number, source.run_id))
            checked += [jobs.first] if jobs else []
        except ConfigError as error:
            refused[stage.name] = list(error.problems)
    if refused:
        told = dict.fromkeys(f"{problem} (stage {name})" for name, problems in refused.items() for problem in problems)
        raise ConfigError([*told, *_addressees(for_all, refused, [stage.name for stage in stages])])
    if checked[0].resume not in ("auto", "never"):
        raise ConfigError([f"`resume` of a chain must be auto or never. Received: resume={checked[0].resume}."])
    identity = fingerprint.of({"compression": [fingerprint.of(experiment.model_dump()) for experiment in checked]})
    return Chain(name, source, checked[0], checked[-1].registered_model, identity, stages)


def _addressees(for_all: Sequence[str], refused: Mapping[str, Sequence[str]], stages: Sequence[str]) -> Iterator[str]:
    """Yields how an override that only some stages take is given to one of those."""
    for override in for_all:
        key = override.partition("=")[0].lstrip("+~")
        takers = [name for name in stages if not any(f"`{key}`" in problem for problem in refused.get(name, ()))]
        if 0 < len(takers) < len(stages):
            ways = " or ".join(f"{name}:{override}" for name in takers)
            yield f"`{key}` can be given to a stage that takes it: {ways}."


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
