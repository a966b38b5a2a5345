"""The command line, composed and checked before anything runs.

Called by `__main__`. Hydra stops at the first unknown key and checks the jobs of a sweep one after the other, hours
apart; here every value of every job is checked first, and all mistakes are told at once.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_exp import config
from fer_exp.errors import ConfigError


@dataclass(frozen=True)
class Jobs:
    """What a command line asks for.

    Attributes:
        first: Configuration of the first job.
        multirun: Whether it is a sweep.
        swept_keys: Keys that take more than one value.
        overrides: The overrides as typed.
        launcher: `_target_` and options of the launcher of a sweep; None if it is one of Hydra's own.
    """

    first: config.Experiment
    multirun: bool
    swept_keys: list[str]
    overrides: list[str]
    launcher: dict[str, Any] | None


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


def check(arguments: Sequence[str]) -> Jobs | None:
    """Checks every job that a command line asks for.

    A sweep is checked value by value, each with the first value of the other keys, which finds every bad value
    without composing every combination.

    Args:
        arguments: The command line without the program's name.

    Returns:
        The jobs; None if the command only shows something (`--help`, `--cfg`, `--info` ...).

    Raises:
        ConfigError: With all problems of all jobs.
    """
    parsed = get_args_parser().parse_args(list(arguments))
    if parsed.help or parsed.hydra_help or parsed.cfg or parsed.info or parsed.shell_completion:
        return None
    try:
        overrides = OverridesParser.create().parse_overrides(parsed.overrides)
    except HydraException as error:
        raise ConfigError([_first_line(error)]) from error
    choices = [_choices(override, parsed.multirun) for override in overrides]
    first = [values[0] for values in choices]
    jobs = [first]
    for index, values in enumerate(choices):
        jobs += [[*first[:index], value, *first[index + 1 :]] for value in values[1:]]
    search_path = f"hydra.searchpath=[file://{parsed.config_dir}]" if parsed.config_dir else None
    problems: dict[str, None] = {}
    experiments = []
    with initialize_config_dir(version_base="1.3", config_dir=parsed.config_path or str(config.CONF)):
        name = parsed.config_name or "config"
        for job in jobs:
            try:
                experiments.append(_compose(name, job, search_path))
            except ConfigError as error:
                problems |= dict.fromkeys(error.problems)
        launcher = None
        try:
            launcher = _launcher(name, parsed.overrides, search_path) if parsed.multirun else None
        except ConfigError as error:
            problems |= dict.fromkeys(error.problems)
    if parsed.multirun and any(experiment.option("strategy") == "multi_worker" for experiment in experiments):
        problems["`strategy` multi_worker is for single runs: give each run its own command, without -m."] = None
    if problems:
        raise ConfigError(list(problems))
    swept = [o.get_key_element().lstrip("+~") for o, values in zip(overrides, choices, strict=True) if len(values) > 1]
    return Jobs(experiments[0], bool(parsed.multirun), swept, list(parsed.overrides), launcher)


def _choices(override: Override, multirun: bool) -> list[str]:
    """Returns the override once for each of its values."""
    key, typed = override.get_key_element(), str(override.input_line)
    if not override.is_sweep_override():
        return [typed]
    if not multirun:
        raise ConfigError([f"`{key}` has several values: add -m to run one job for each. Received: {typed}."])
    return [f"{key}={element}" for element in override.sweep_string_iterator()]


def _compose(config_name: str, overrides: Sequence[str], search_path: str | None) -> config.Experiment:
    """Composes and checks one job.

    Values of unknown keys are let into the composition, so that the check finds all of them and knows the nearest.
    """
    groups = {path.name for path in config.CONF.iterdir() if path.is_dir()}
    lenient = [o if _is_group_choice(o, groups) else re.sub(r"^(?![+~])", "++", o) for o in overrides]
    try:
        cfg = compose(config_name, [*lenient, *([search_path] if search_path else [])])
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError([_explain(error)]) from error
    return config.check(plain(cfg))


def _launcher(config_name: str, overrides: Sequence[str], search_path: str | None) -> dict[str, Any] | None:
    """Returns the checked node of the launcher: `_target_` of its builder, and its options."""
    chosen = [override for override in overrides if override.lstrip("+~").startswith("hydra")]
    try:
        cfg = compose(config_name, [*chosen, *([search_path] if search_path else [])], return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError([_explain(error)]) from error
    options = plain(cfg.hydra.launcher)
    del options["_target_"]  # the door that Hydra opens
    builder = options.pop("builder", None)
    if builder is None:
        return None
    node = {"_target_": builder, **options}
    if problems := config.problems_of("launcher", node, "hydra.launcher"):
        raise ConfigError(problems)
    return node


def _is_group_choice(override: str, groups: set[str]) -> bool:
    key = override.lstrip("+~").split("=", 1)[0]
    return key.startswith("hydra") or (re.split(r"[@/]", key)[0] in groups and "." not in key)


def _explain(error: Exception) -> str:
    """Turns Hydra's message about an unknown option into one line with the nearest option."""
    text = str(error)
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
