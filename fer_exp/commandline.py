"""The command line, composed and checked before anything runs.

Called by `__main__`. Hydra stops at the first unknown key and checks the jobs of a sweep one after the other, hours
apart; here every value of every job is checked first, and all mistakes are told at once.
"""

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_exp import config, sweeper
from fer_exp.errors import ConfigError
from fer_exp.explain import without_password
from fer_exp.hparams import search_space
from fer_exp.process import kernels
from fer_exp.sweeper import Search


@dataclass(frozen=True)
class Jobs:
    """What a command line asks for.

    Attributes:
        first: Configuration of the first job.
        multirun: Whether it is a sweep.
        swept_keys: Keys that take more than one value.
        overrides: The overrides as typed, without passwords.
        launcher: `_target_` and options of the launcher of a sweep; None if it is one of Hydra's own.
        search: What the sweeper is told if it searches; None if it runs every combination.
    """

    first: config.Experiment
    multirun: bool
    swept_keys: list[str]
    overrides: list[str]
    launcher: dict[str, Any] | None
    search: Search | None


def plain(cfg: DictConfig) -> dict[str, Any]:
    """Returns a composed configuration as plain containers, references resolved.

    Raises:
        ConfigError: If a reference leads nowhere.
    """
    try:
        values = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError([f"The configuration cannot be resolved: {str(error).splitlines()[0]}"]) from error
    return {str(key): value for key, value in values.items()} if isinstance(values, dict) else {}


def with_home(arguments: Sequence[str]) -> list[str]:
    """Returns arguments in which `~/` behind `=` or `,` is the home folder: zsh does that, bash does not.

    Hydra's grammar has no `~` in values, so nothing else can be meant.
    """
    return [re.sub(r"(?<=[=,])~(?=/)", lambda _: str(Path.home()), word) for word in arguments]


def composed(overrides: Sequence[str]) -> dict[str, Any]:
    """Returns the configuration of one job, not checked; values that must be given are `???`.

    It may be asked for inside a job, whose own Hydra is put aside for that long: there is one for a process.

    Args:
        overrides: For example `model=cnn`.

    Raises:
        ConfigError: If it cannot be composed.
    """
    of_the_job = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config.CONF)):
            return plain(_compose("config", with_home(overrides)))
    finally:
        GlobalHydra.instance().hydra = of_the_job


def check(arguments: Sequence[str]) -> Jobs | None:
    """Checks every job that a command line asks for.

    A sweep is checked value by value, each with the first value of the other keys, which finds every bad value
    without composing every combination. Of an interval that is searched the two ends are checked.

    Args:
        arguments: The command line without the program's name.

    Returns:
        The jobs; None if the command only shows something (`--help`, `--cfg`, `--info` ...).

    Raises:
        ConfigError: With all problems of all jobs.
    """
    parsed = get_args_parser().parse_args(with_home(arguments))
    if parsed.help or parsed.hydra_help or parsed.cfg or parsed.info or parsed.shell_completion:
        return None
    try:
        overrides = OverridesParser.create().parse_overrides(parsed.overrides)
    except HydraException as error:
        raise ConfigError([_first_line(error)]) from error
    search_path = [f"hydra.searchpath=[file://{parsed.config_dir}]"] if parsed.config_dir else []
    name = parsed.config_name or "config"
    experiments = []
    with initialize_config_dir(version_base="1.3", config_dir=parsed.config_path or str(config.CONF)):
        multirun = _multirun(name, overrides, search_path) if parsed.multirun else _Multirun()
        problems = dict.fromkeys([*kernels.problems(os.environ), *multirun.problems])
        choices = _probes(multirun.space) if multirun.space else _choices(overrides, bool(parsed.multirun))
        first = [values[0] for values in choices.values()]
        jobs = [first]
        for index, values in enumerate(choices.values()):
            jobs += [[*first[:index], value, *first[index + 1 :]] for value in values[1:]]
        for job in jobs:
            try:
                experiments.append(config.check(plain(_compose(name, [*job, *search_path]))))
            except ConfigError as error:
                problems |= dict.fromkeys(error.problems)
    if parsed.multirun and any(experiment.option("strategy") == "multi_worker" for experiment in experiments):
        problems["`strategy` multi_worker is for single runs: give each run its own command, without -m."] = None
    if multirun.search and multirun.space and experiments:
        problems |= dict.fromkeys(sweeper.problems(multirun.search, multirun.space, experiments[0]))
    if problems:
        raise ConfigError(list(problems))
    swept = [key.lstrip("+~") for key, values in choices.items() if len(values) > 1]
    typed = [without_password(override) for override in parsed.overrides]
    return Jobs(experiments[0], bool(parsed.multirun), swept, typed, multirun.launcher, multirun.search)


def search_of(cfg: DictConfig) -> Search | None:
    """Returns what the sweeper of a composed multirun is told if it is one that searches, its options checked.

    Args:
        cfg: With the node `hydra`.

    Raises:
        ConfigError: With all that is wrong with its options.
    """
    options = plain(cfg.hydra.sweeper)
    if "builder" not in options:
        return None
    node = {"_target_": options.pop("builder"), **{k: v for k, v in options.items() if not k.startswith("_")}}
    problems = config.problems_of("sweeper", node, "hydra.sweeper")
    for group in ("sampler", "pruner"):
        if isinstance(node.get(group), dict):
            problems += config.problems_of(group, node[group], f"hydra.sweeper.{group}")
    if problems:
        raise ConfigError(problems)
    search: Search = config.build(node)
    return search


@dataclass(frozen=True)
class _Multirun:
    """What the node `hydra` of a multirun says; its problems are told together with those of the jobs."""

    launcher: dict[str, Any] | None = None
    search: Search | None = None
    space: search_space.Space | None = None
    problems: tuple[str, ...] = ()


def _multirun(config_name: str, overrides: Sequence[Override], search_path: Sequence[str]) -> _Multirun:
    single = [str(override.input_line) for override in overrides if not override.is_sweep_override()]
    cfg = _compose(config_name, [*single, *search_path], with_hydra=True)
    launcher, search, space = None, None, None
    problems: tuple[str, ...] = ()
    try:
        launcher = _launcher(cfg)
    except ConfigError as error:
        problems += error.problems
    try:
        search = search_of(cfg)
    except ConfigError as error:
        problems += error.problems
    if "builder" in cfg.hydra.sweeper:
        params = plain(cfg.hydra.sweeper)["params"]
        typed = [str(override.input_line) for override in overrides if not override.is_hydra_override()]
        space = search_space.read(params if isinstance(params, dict) else {}, typed)
    return _Multirun(launcher, search, space, problems)


def _launcher(cfg: DictConfig) -> dict[str, Any] | None:
    """Returns the checked node of the launcher: `_target_` of its builder, and its options."""
    options = plain(cfg.hydra.launcher)
    del options["_target_"]  # the door that Hydra opens
    builder = options.pop("builder", None)
    if builder is None:
        return None
    node = {"_target_": builder, **options}
    if problems := config.problems_of("launcher", node, "hydra.launcher"):
        raise ConfigError(problems)
    return node


def _probes(space: search_space.Space) -> dict[str, list[str]]:
    """Returns the overrides of a search, each searched key once for each value that tells whether all are valid."""
    searched = {key: [f"{key}={value}" for value in values.probes()] for key, values in space.searched.items()}
    return {**{line: [line] for line in space.fixed}, **searched}


def _choices(overrides: Sequence[Override], multirun: bool) -> dict[str, list[str]]:
    """Returns each key's override once for each of its values."""
    choices = {}
    for override in overrides:
        key, typed = override.get_key_element(), str(override.input_line)
        if not override.is_sweep_override():
            choices[typed] = [typed]
        elif not multirun:
            raise ConfigError([f"`{key}` has several values: add -m to run one job for each. Received: {typed}."])
        elif override.is_interval_sweep():
            needed = "an interval needs a search: add hydra/sweeper=optuna, or give single values"
            raise ConfigError([f"`{key}` cannot be run for every value: {needed}. Received: {typed}."])
        else:
            choices[key] = [f"{key}={element}" for element in override.sweep_string_iterator()]
    return choices


def _compose(config_name: str, overrides: Sequence[str], with_hydra: bool = False) -> DictConfig:
    """Composes one job.

    Values of unknown keys are let into the composition, so that the check finds all of them and knows the nearest.
    """
    groups = {path.name for path in config.CONF.iterdir() if path.is_dir()}
    lenient = [o if _is_group_choice(o, groups) else re.sub(r"^(?![+~])", "++", o) for o in overrides]
    try:
        return compose(config_name, lenient, return_hydra_config=with_hydra)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError([_explain(error)]) from error


def _is_group_choice(override: str, groups: set[str]) -> bool:
    key = override.lstrip("+~").split("=", 1)[0]
    return key.startswith("hydra") or (re.split(r"[@/]", key)[0] in groups and "." not in key)


def _explain(error: Exception) -> str:
    """Turns Hydra's message about an unknown option into one line with the nearest option."""
    text = str(error)
    if "Could not override 'compression'" in text:
        return "`compression` is for finished runs: python -m fer_exp.compress <run id> compression=<name>."
    found = re.search(r"Could not find '([^']+)'\s*Available options in '([^']+)':((?:\n\t\S+)+)", text)
    if found is None:
        cause = str(error.__cause__ or "").split("\n")[0]
        return " ".join(f"{text.split(chr(10) * 2)[0]} {cause}".split())
    wanted, group = found.group(1).rsplit("/", 1)[-1], found.group(2)
    available = found.group(3).split()
    nearest = difflib.get_close_matches(wanted, available, n=1)
    hint = f" Did you mean {group}={nearest[0]}?" if nearest else ""
    return f"`{group}` must be one of {', '.join(available)}. Received: {group}={wanted}.{hint}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
