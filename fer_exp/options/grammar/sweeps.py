"""The overrides that a sweep goes through: each value of each key.

Called by `commandline`.
"""

import itertools
import math
from collections.abc import Sequence

from hydra.core.override_parser.types import Override, RangeSweep
from hydra.errors import HydraException

from fer_exp.errors import ConfigError

MOST_JOBS = 10_000
_TOO_MANY = f"may have at most {MOST_JOBS:,} values"


def choices(overrides: Sequence[Override], multirun: bool) -> dict[str, list[str]]:
    """Returns each key's override once for each of its values.

    Args:
        overrides: Of the command line.
        multirun: Whether several values make a sweep.

    Raises:
        ConfigError: If a key has several values outside of a sweep, none, or more than can be run.
    """
    found, problems = dict[str, list[str]](), []
    for override in overrides:
        key, typed = override.get_key_element(), str(override.input_line)
        if not override.is_sweep_override():
            found[typed] = [typed]
        elif not multirun:
            problems.append(f"`{key}` has several values: add -m to run one job for each. Received: {typed}.")
        elif override.is_interval_sweep():
            needed = "an interval needs a search: add hydra/sweeper=optuna, or give single values"
            problems.append(f"`{key}` cannot be run for every value: {needed}. Received: {typed}.")
        else:
            try:
                found[key] = [f"{key}={element}" for element in _each(override)]
            except ValueError as error:
                problems.append(f"`{key}` {error}. Received: {typed}.")
    count = math.prod(map(len, found.values()))
    if not problems and count > MOST_JOBS:
        problems.append(f"A sweep may have at most {MOST_JOBS:,} jobs. Received: {count:,}, the product of all values.")
    if problems:
        raise ConfigError(problems)
    return found


def _each(override: Override) -> list[str]:
    """Returns the values of a sweep as overrides have them.

    Raises:
        ValueError: If there are none, or too many.
    """
    if _count(override) > MOST_JOBS:  # before `shuffle` makes a list of them
        raise ValueError(_TOO_MANY)
    try:
        values = list(itertools.islice(override.sweep_string_iterator(), MOST_JOBS + 1))
    except (HydraException, ValueError, ArithmeticError) as error:
        reason = (str(error) or repr(error)).splitlines()[0].rstrip(".")
        raise ValueError(f"cannot be counted through: {reason}") from error
    if len(values) > MOST_JOBS:
        raise ValueError(_TOO_MANY)
    if not values:
        raise ValueError(f"must have a value{_options(override)}")
    return values


def _count(override: Override) -> float:
    """Returns about how many values a range has; 0 if it is none, or has no end."""
    span = override.value()
    if not isinstance(span, RangeSweep) or span.start is None or span.stop is None or not span.step:
        return 0
    return (span.stop - span.start) / span.step


def _options(override: Override) -> str:
    """Returns which options a glob can choose from; empty if the override is none."""
    if override.config_loader is None or "glob" not in str(override.input_line):
        return ""
    options = override.config_loader.get_group_options(override.key_or_group)
    return f": a glob chooses from {', '.join(options) or 'the options of a group, and this is none'}"
