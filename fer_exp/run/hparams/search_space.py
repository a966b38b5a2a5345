"""What a search may choose from: the `interval`, `range` and `choice` of overrides, as plain numbers and texts.

Called by `commandline`, which checks the ends of each, and by `search`, which draws from them. It must not know
Optuna: a command line is checked without importing it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Transformer

from fer_exp.errors import ConfigError
from fer_exp.options.grammar import override as grammar


@dataclass(frozen=True)
class Choice:
    """One of several values.

    Attributes:
        values: Each as an override has it, for example `256`, `cosine` or `[4,4]`.
    """

    values: tuple[str, ...]

    def probes(self) -> list[str]:
        """Returns the values that tell whether all are valid."""
        return list(self.values)


@dataclass(frozen=True)
class Interval:
    """A number between two others; a whole one if both are `int`.

    Attributes:
        low: Smallest value.
        high: Largest value, included; > low.
        log: Whether orders of magnitude are equally likely, instead of values.
        step: Distance of neighbouring values from `low` on; None for all between.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def probes(self) -> list[str]:
        """Returns the two ends: what is valid for them is taken to be valid between them."""
        return [text(self.low), text(self.high)]


@dataclass(frozen=True)
class Space:
    """The overrides of a search.

    Attributes:
        fixed: Those that all trials share, as typed.
        searched: What each of the other keys takes its values from.
    """

    fixed: tuple[str, ...]
    searched: Mapping[str, Choice | Interval]

    def overrides(self, values: Mapping[str, Any]) -> list[str]:
        """Returns the overrides of one trial: the one place where a suggestion becomes a command.

        Args:
            values: A value for each searched key.
        """
        return [*self.fixed, *(f"{key}={text(values[key])}" for key in self.searched)]


def text(value: Any) -> str:
    """Returns a value as an override has it; of a choice it is one already."""
    return value if isinstance(value, str) else repr(value)


def read(params: Mapping[str, Any], overrides: Sequence[str], loader: ConfigLoader | None = None) -> Space:
    """Reads the space of a search.

    Args:
        params: `hydra.sweeper.params`: a key, and what would follow its `=` on the command line.
        overrides: Of the command line, without those of Hydra; they replace params with the same key.
        loader: Hydra's, which knows the options that a `glob` stands for.

    Raises:
        ConfigError: With each override that cannot be read.
    """
    problems: list[str] = []
    found: dict[str, Override] = {}
    named = [(f"hydra.sweeper.params.{key}", f"{key}={_typed(value)}") for key, value in params.items()]
    for name, line in [*named, *((line.split("=", 1)[0], line) for line in overrides)]:
        try:
            override = grammar.read(line, loader)
        except ValueError as error:
            problems.append(str(error).replace(f"`{line.partition('=')[0]}`", f"`{name}`", 1))
        else:
            found[override.get_key_element().lstrip("+~")] = override
    searched: dict[str, Choice | Interval] = {}
    for override in found.values():
        if override.is_sweep_override():
            try:
                searched[override.get_key_element()] = values_of(override)
            except ConfigError as error:
                problems += error.problems
    if problems:
        raise ConfigError(problems)
    fixed = tuple(str(override.input_line) for override in found.values() if not override.is_sweep_override())
    return Space(fixed, searched)


def values_of(override: Override) -> Choice | Interval:
    """Returns what an override takes its values from.

    Args:
        override: With several values.

    Raises:
        ConfigError: If there is nothing to choose from.
    """
    value, key = override.value(), override.get_key_element()
    if override.is_choice_sweep():
        return Choice(tuple(dict.fromkeys(override.sweep_string_iterator())))
    try:
        return _interval(value) if isinstance(value, IntervalSweep) else _range(value)
    except ValueError as error:
        raise ConfigError([f"`{key}` must {error}. Received: {override.input_line}."]) from error


def _interval(value: IntervalSweep) -> Interval:
    low, high, log = value.start, value.end, "log" in value.tags
    whole = "int" in value.tags or (isinstance(low, int) and isinstance(high, int))
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError("go from a smaller to a larger number: interval(low, high)")
    if log and low <= 0:
        raise ValueError("begin above 0, because a logarithm needs it: tag(log, interval(low, high))")
    if not whole:
        return Interval(float(low), float(high), log)
    if int(low) != low or int(high) != high:
        raise ValueError("begin and end with whole numbers")
    return Interval(int(low), int(high), log)


def _range(value: Any) -> Interval:
    """Hydra's range, whose last value lies before its end, as in a sweep over all of them."""
    if not isinstance(value, RangeSweep) or value.start is None or value.stop is None:
        raise ValueError("be interval(...), range(...) or choice(...)")
    if "log" in value.tags:
        raise ValueError("be an interval, not a range, where it is tagged with log")
    start, stop, step = (Decimal(str(number)) for number in (value.start, value.stop, value.step))
    count = math.ceil((stop - start) / step) if step else 0
    if count < 2:
        raise ValueError("hold two values or more: range(start, stop, step), of which stop is left out")
    low, high = sorted((start, start + (count - 1) * step))
    if all(isinstance(number, int) for number in (value.start, value.stop, value.step)):
        return Interval(int(low), int(high), step=abs(int(step)))
    return Interval(float(low), float(high), step=abs(float(step)))


def _typed(value: Any) -> str:
    """Returns a value of a yaml as it would be typed after `=`."""
    return value if isinstance(value, str) else Transformer.str(value)
