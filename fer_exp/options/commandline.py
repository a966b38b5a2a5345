"""The command line, composed and checked before anything runs.

Called by `__main__`. Hydra stops at the first unknown key and checks the jobs of a sweep one after the other, hours
apart; here every value of every job is checked first, and one answer names all mistakes.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from fer_exp import sweeper
from fer_exp.errors import ConfigError
from fer_exp.options import config
from fer_exp.options.grammar import options, override, sweeps
from fer_exp.process import credentials, keras_state, kernels, user
from fer_exp.run.hparams import search_space
from fer_exp.sweeper import Search

_HOME_OR_QUOTED = re.compile(r"""(?<=[=,])~(?=/)|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*["]""")


@dataclass(frozen=True)
class Jobs:
    """What a command line asks for.

    Attributes:
        first: Configuration of the first job.
        multirun: Whether it is a sweep.
        swept_keys: Keys that take more than one value.
        overrides: The overrides as typed, passwords put aside (`process.credentials`).
        launcher: `_target_` and options of the launcher of a sweep; None if it is one of Hydra's own.
        search: Options of the sweeper if it searches; None if it runs every combination.
        arguments: The command line as Hydra is to read it.
        experiments: The configurations that were checked: that of the first job, and one for each other value of a key.
        defaults: What the first job's options of groups are composed to by themselves.
    """

    first: config.Experiment
    multirun: bool
    swept_keys: list[str]
    overrides: list[str]
    launcher: dict[str, Any] | None
    search: Search | None
    arguments: tuple[str, ...] = ()
    experiments: tuple[config.Experiment, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Surroundings:
    """What Hydra says of the process of a job, or of the jobs of a sweep.

    Attributes:
        folder: Where files go; None if that is known only once a job runs.
        environment: Variables of the process.
    """

    folder: Path | None
    environment: Mapping[str, str]


def plain(cfg: DictConfig) -> dict[str, Any]:
    """Returns a composed configuration as plain containers, references resolved.

    Raises:
        ConfigError: If a reference leads nowhere.
    """
    try:
        values = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError([f"The configuration cannot be resolved: {str(error).splitlines()[0]}"]) from error
    named = _with_names(values)
    return named if isinstance(named, dict) else {}


def _with_names(value: Any) -> Any:
    """Returns a value in which every key is a text: `{0: neutral}` is `{"0": "neutral"}`, as files keep it."""
    if isinstance(value, dict):
        return {str(key): _with_names(inner) for key, inner in value.items()}
    return [_with_names(inner) for inner in value] if isinstance(value, list) else value


def with_home(arguments: Sequence[str]) -> list[str]:
    """Returns arguments in which `~/` behind `=` or `,` is the home folder: zsh does that, bash does not.

    Hydra's grammar has no `~` in values, so nothing else can be meant.
    """
    home = os.path.expanduser("~")  # `~` if nobody knows it, which the check of a value tells with its key
    return [_HOME_OR_QUOTED.sub(lambda found: home if found[0] == "~" else found[0], word) for word in arguments]


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


def surroundings(arguments: Sequence[str]) -> Surroundings:
    """Returns what Hydra would give to what a command line asks for.

    Args:
        arguments: As of `Jobs.arguments`.

    Raises:
        ConfigError: If the variables are not `name: value`.
    """
    parsed = options.parsed(arguments)
    with initialize_config_dir(version_base="1.3", config_dir=parsed.config_path or str(config.CONF)):
        single = [str(entry.input_line) for entry in _read(parsed.overrides) if not entry.is_sweep_override()]
        cfg = _compose(parsed.config_name or "config", [*single, *_search_path(parsed)], with_hydra=True)
    try:
        folder = Path(str(cfg.hydra.sweep.dir if parsed.multirun else cfg.hydra.run.dir)).absolute()
    except InterpolationKeyError as error:
        raise ConfigError([explained(error)]) from error
    except OmegaConfBaseException:  # it names what Hydra knows of a job that runs
        folder = None
    variables = {str(key): str(value) for key, value in plain(cfg.hydra.job.env_set).items()}
    return Surroundings(folder, {**os.environ, **variables})


def check(arguments: Sequence[str], groups: Sequence[str] = config.GROUPS) -> Jobs | None:
    """Checks every job that a command line asks for.

    A sweep is checked value by value, each with the first value of the other keys, which finds every bad value
    without composing every combination. Of an interval that is searched the two ends are checked.

    Args:
        arguments: The command line without the program's name.
        groups: As of `config.check`.

    Returns:
        The jobs; None if the command only shows something (`--help`, `--cfg`, `--info` ...).

    Raises:
        ConfigError: With all problems of all jobs.
    """
    parsed = options.parsed(with_home(credentials.put_aside_all(arguments)))
    with initialize_config_dir(version_base="1.3", config_dir=parsed.config_path or str(config.CONF)):
        overrides = _read(parsed.overrides)
        if parsed.shows:
            return None
        try:
            jobs = _checked(parsed, overrides, groups)
            user.house_if_homeless(os.environ, jobs.first.cache_dir)  # before MLflow and Keras are imported
            return jobs
        except ConfigError as error:
            texts = _texts(parsed, overrides)
            if not texts:
                raise error
    return check([texts.get(word, word) for word in parsed.arguments], groups)


def _read(words: Sequence[str]) -> list[Override]:
    try:
        return override.read_all(words, GlobalHydra.instance().config_loader())
    except ValueError as error:
        raise ConfigError(str(error).splitlines()) from error


def _checked(parsed: options.Options, overrides: Sequence[Override], groups: Sequence[str]) -> Jobs:
    search_path, name = _search_path(parsed), parsed.config_name or "config"
    experiments = []
    multirun = _multirun(name, overrides, search_path) if parsed.multirun else _Multirun()
    of_the_process = [*kernels.problems(os.environ), *keras_state.problems(os.environ)]
    problems = dict.fromkeys([*of_the_process, *multirun.problems])
    choices = _probes(multirun.space) if multirun.space else sweeps.choices(overrides, parsed.multirun)
    first = [values[0] for values in choices.values()]
    jobs = [first]
    for index, values in enumerate(choices.values()):
        jobs += [[*first[:index], value, *first[index + 1 :]] for value in values[1:]]
    for job in jobs:
        try:
            of_job = plain(_compose(name, [*job, *search_path]))
            problems |= dict.fromkeys(_passwords(of_job))
            experiments.append(config.check(of_job, groups))
        except ConfigError as error:
            problems |= dict.fromkeys(error.problems)
    if parsed.multirun and any(experiment.option("strategy") == "multi_worker" for experiment in experiments):
        problems["`strategy` multi_worker is for single runs: give each run its own command, without -m."] = None
    if multirun.search and multirun.space and experiments:
        problems |= dict.fromkeys(sweeper.problems(multirun.search, multirun.space, experiments[0]))
    if problems:
        raise ConfigError(list(problems))
    swept = [key.lstrip("+~") for key, values in choices.items() if len(values) > 1]
    chosen = [f"{group}={experiments[0].option(group)}" for group in config.GROUPS]
    defaults = plain(_compose(name, [*chosen, *search_path]))
    return Jobs(
        experiments[0], parsed.multirun, swept, list(parsed.overrides), multirun.launcher, multirun.search,
        parsed.arguments, tuple(experiments), defaults,
    )  # fmt: skip


def _texts(parsed: options.Options, overrides: Sequence[Override]) -> dict[str, str]:
    """Returns the overrides whose keys take nothing but texts and got something else, as typed -> quoted.

    So `name=20260913` names a run, where Hydra reads a number.
    """
    single = [str(entry.input_line) for entry in overrides if not entry.is_sweep_override()]
    try:
        cfg = _compose(parsed.config_name or "config", [*single, *_search_path(parsed)], with_hydra=True)
        own = plain(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]))
        own["hydra"] = {node: plain(cfg.hydra[node]) for node in ("launcher", "sweeper")}
    except ConfigError:
        return {}
    quoted = {word: override.as_text(word) for word in parsed.overrides}
    return {
        word: text
        for word, text in quoted.items()
        if text != word and config.takes_text(own, override.split(word)[0].lstrip("+~"))
    }


def _search_path(parsed: options.Options) -> list[str]:
    return [f"hydra.searchpath=[{override.quoted(f'file://{parsed.config_dir}')}]"] if parsed.config_dir else []


def search_of(cfg: DictConfig) -> Search | None:
    """Returns the checked options of the sweeper of a composed multirun, if it is one that searches.

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
            problems += config.problems_of(f"sweeper.{group}", node[group], f"hydra.sweeper.{group}")
    if problems:
        raise ConfigError(problems)
    search: Search = config.build(node)
    return search


@dataclass(frozen=True)
class _Multirun:
    """What the node `hydra` of a multirun says; its problems join those of the jobs."""

    launcher: dict[str, Any] | None = None
    search: Search | None = None
    space: search_space.Space | None = None
    problems: tuple[str, ...] = ()


def _multirun(config_name: str, overrides: Sequence[Override], search_path: Sequence[str]) -> _Multirun:
    single = [str(override.input_line) for override in overrides if not override.is_sweep_override()]
    cfg = _compose(config_name, [*single, *search_path], with_hydra=True)
    launcher, search, space = None, None, None
    problems = tuple(_passwords(plain(cfg.hydra.sweeper), "hydra.sweeper."))
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
        loader = GlobalHydra.instance().config_loader()
        space = search_space.read(params if isinstance(params, dict) else {}, typed, loader)
    return _Multirun(launcher, search, space, problems)


def _passwords(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yields a sentence for each password that a yaml file holds: Hydra would write it into the folder of the run.

    Those of the command line were put aside before.
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _passwords(value, f"{prefix}{key}.")
        elif isinstance(value, str) and credentials.hidden(value) != value:
            yield (
                f"`{prefix}{key}` must have no password in a yaml file, because fer_exp records it. Received: "
                f"{value}. Give the address on the command line, or that of tracking as MLFLOW_TRACKING_URI."
            )


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


def _compose(config_name: str, overrides: Sequence[str], with_hydra: bool = False) -> DictConfig:
    """Composes one job.

    Values of unknown keys are let into the composition, so that the check finds all of them and knows the nearest.
    """
    groups = {path.name for path in config.CONF.iterdir() if path.is_dir()}
    lenient = [o if _is_group_choice(o, groups) else re.sub(r"^(?![+~])", "++", o) for o in overrides]
    try:
        return compose(config_name, lenient, return_hydra_config=with_hydra)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError([explained(error)]) from error


def _is_group_choice(override: str, groups: set[str]) -> bool:
    key = override.lstrip("+~").split("=", 1)[0]
    return key.startswith("hydra") or (re.split(r"[@/]", key)[0] in groups and "." not in key)


def explained(error: Exception) -> str:
    """Returns what Hydra says of a configuration in one line, of an unknown option with the nearest."""
    text = str(error)
    if "Could not override 'compression'" in text:
        return "`compression` is for finished runs: python -m fer_exp.compress <run id> compression=<name>."
    found = re.search(r"Could not find '([^']+)'\s*Available options in '([^']+)':((?:\n\t\S+)+)", text)
    if found is None:
        return _explained_value(error, text)
    wanted, group = found.group(1).rsplit("/", 1)[-1], found.group(2)
    available = found.group(3).split()
    nearest = difflib.get_close_matches(wanted, available, n=1)
    hint = f" Did you mean {group}={nearest[0]}?" if nearest else ""
    return f"`{group}` must be one of {', '.join(available)}. Received: {group}={wanted}.{hint}"


def _explained_value(error: Exception, text: str) -> str:
    """Returns what Hydra says of a key or a value in one line."""
    cause = str(error.__cause__ or "").split("\n")[0].rstrip(".")
    if isinstance(error, InterpolationKeyError):
        return f"`{error.full_key}` refers to something that is not there: {text.splitlines()[0].rstrip('.')}."
    if found := re.match(r"Error merging override (.*)", text):
        return f"`{override.split(found[1])[0].lstrip('+~')}` must be something else: {cause}. Received: {found[1]}."
    if found := re.match(r"Could not override '([^']+)'", text):
        nearest = difflib.get_close_matches(found[1], config.Experiment.model_fields, n=1)
        hint = f" Did you mean `{nearest[0]}`?" if nearest else ""
        return f"`{found[1]}` is no key of the configuration.{hint} A new one begins with +."
    return " ".join(f"{text.split(chr(10) * 2)[0]} {cause}".split())
