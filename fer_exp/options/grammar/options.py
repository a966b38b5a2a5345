"""The words of a command line sorted into Hydra's own options and overrides.

Called by `commandline.check`. It knows the options of Hydra, no key and no group.
"""

import argparse
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser

from fer_exp.errors import ConfigError


@dataclass(frozen=True)
class Options:
    """What a command line says.

    Attributes:
        overrides: Every `key=value`, in order.
        shows: Whether the command only shows something (`--help`, `--cfg`, `--info` ...).
        multirun: Whether it asks for a sweep, by `-m` or hydra.mode=MULTIRUN.
        config_name: Of the primary configuration; None takes this package's.
        config_path: Folder of the primary configuration; None takes this package's.
        config_dir: Folder of further configurations.
        arguments: All words, overrides last, as Hydra can read them.
    """

    overrides: tuple[str, ...]
    shows: bool
    multirun: bool
    config_name: str | None
    config_path: str | None
    config_dir: str | None
    arguments: tuple[str, ...]


def parsed(arguments: Sequence[str]) -> Options:
    """Sorts the words of a command line.

    Args:
        arguments: Without the program's name.

    Raises:
        ConfigError: If an option does not exist, lacks its value, or does not go with another.
    """
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]  # which would print how all is used, and end the process
    known, unknown = parser.parse_known_intermixed_args(list(arguments))
    overrides = list(known.overrides)
    problems = [_unknown(word, arguments, parser) for word in unknown] or _contradictions(known)
    if problems:
        raise ConfigError(problems)
    rest, options = list(overrides), []
    for word in arguments:  # Hydra reads no override that stands behind an option which stands behind another override
        if word in rest:
            rest.remove(word)
        else:
            options.append(word)
    return Options(
        overrides=tuple(overrides),
        shows=bool(known.help or known.hydra_help or known.cfg or known.info or known.shell_completion),
        multirun=bool(known.multirun) or _mode(overrides) == "MULTIRUN",
        config_name=known.config_name,
        config_path=known.config_path,
        config_dir=known.config_dir,
        arguments=(*options, *overrides),
    )


def _mode(overrides: Sequence[str]) -> str:
    """Returns what the last override of `hydra.mode` says; empty if there is none."""
    found = [word.partition("=")[2] for word in overrides if word.lstrip("+").partition("=")[0] == "hydra.mode"]
    return found[-1].strip(" '\"").upper() if found else ""


def _refuse(message: str) -> NoReturn:
    raise ConfigError([f"The command line cannot be read: {message}. `--help` shows what there is."])


def _unknown(word: str, arguments: Sequence[str], parser: argparse.ArgumentParser) -> str:
    """Returns a sentence about a word with dashes that is no option: how to write the key that it seems to mean."""
    key, _, value = word.lstrip("-").partition("=")
    position = list(arguments).index(word) if word in arguments else len(arguments)
    following = arguments[position + 1 : position + 2]
    if not value and following and "=" not in following[0] and not following[0].startswith("-"):
        word, value = f"{word} {following[0]}", following[0]
    options = [option for option in parser._option_string_actions if option.startswith("--")]
    nearest = difflib.get_close_matches(f"--{key}", options, n=1)
    meant = f" Did you mean {nearest[0]}?" if nearest and not value else ""
    return (
        f"`{word.partition('=')[0].split()[0]}` is no option of the command line. Received: {word}.{meant} "
        f"Keys have no dashes: {key}={value or '<value>'}."
    )


def _contradictions(known: Any) -> list[str]:
    problems = []
    asked = {
        "--run": known.run, "--multirun": known.multirun, "--cfg": known.cfg is not None,
        "--info": known.info is not None, "--shell-completion": known.shell_completion,
    }  # fmt: skip
    named = [option for option, is_asked in asked.items() if is_asked]
    if len(named) > 1:
        problems.append(f"`{named[0]}` and `{named[1]}` exclude each other: leave one of them out.")
    if known.resolve and known.cfg is None and not known.help:
        problems.append("`--resolve` goes with --cfg: python -m fer_exp --cfg job --resolve.")
    if known.experimental_rerun:
        problems.append(
            "`--experimental-rerun` reads a pickle, which may run code. A run is repeated by reproduce=<run id>."
        )
    for option in ("config_dir", "config_path"):
        folder = getattr(known, option)
        if folder is not None and not Path(folder).is_dir():
            problems.append(f"`--{option.replace('_', '-')}` must be an existing folder. Received: {folder}.")
    if known.config_path is not None and not Path(known.config_path).is_absolute():  # which is relative to this file
        problems.append(f"`--config-path` must begin with /. Received: {known.config_path}.")
    return problems
