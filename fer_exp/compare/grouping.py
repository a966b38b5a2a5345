"""Which runs are replicates of one configuration, and what sets the configurations apart.

Called by `comparison` with the parameters that runs recorded. It must not know the tracking server, nor any result.
"""

import difflib
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fer_exp.errors import ComparisonError
from fer_exp.options.fingerprint import VOLATILE

REPLICATE_AXES = ("seed", "fold")
# On the test numbers that are compared: they come afterwards, and a temperature changes no prediction.
WITHOUT_EFFECT = ("export", "evaluation", "test_time_augmentation")
DATA = "data_sha256"
ABSENT = "–"
_TARGET = "._target_"


@dataclass(frozen=True)
class Group:
    """Runs of one configuration.

    Attributes:
        label: A, B, C ... in the order of the runs.
        name: What sets it apart, for example `model=cnn lr=0.001`.
        members: Positions of its runs, one for each replicate.
        replicates: Of each member, the values of `Grouping.axes`.
    """

    label: str
    name: str
    members: tuple[int, ...]
    replicates: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Grouping:
    """All groups.

    Attributes:
        groups: In the order in which their first run was given.
        axes: Parameters in which members of a group differ: seed and fold, and more if groups were made `by` keys.
        parameters: Parameter -> its value in each group, of those that set groups apart.
        copies: Parameter -> others that have the same values in every group, for example `lr` -> `schedule.peak`.
        repeated: Positions of runs that are left out because a newer one is the same replicate of the same group.
    """

    groups: tuple[Group, ...]
    axes: tuple[str, ...]
    parameters: Mapping[str, tuple[str, ...]]
    copies: Mapping[str, tuple[str, ...]]
    repeated: tuple[int, ...]


def configuration(params: Mapping[str, str], data_sha256: str) -> dict[str, str]:
    """Returns what can make a difference to the test numbers of a run, seed and fold included.

    Where the data lie is replaced by what they are, and the number of folds counts only where there are folds.

    Args:
        params: The flattened parameters, as recorded.
        data_sha256: Digest of the data.
    """
    kept = {}
    for key, value in params.items():
        root, _, rest = key.partition(".")
        if {root, rest} & {*VOLATILE, *WITHOUT_EFFECT} or key == "dataset.path":
            continue
        kept[key] = value
        if rest and f"{root}{_TARGET}" not in params:  # `early_stopping` is null, or a mapping of its own keys
            kept[root] = "set"
    if kept.get("fold", "None") == "None":
        kept.pop("folds", None)
        kept.pop("fold", None)
    return {**kept, DATA: data_sha256}


def group(configurations: Sequence[Mapping[str, str]], started: Sequence[int], by: Sequence[str] = ()) -> Grouping:
    """Puts runs together that differ in nothing but seed and fold, or that agree in chosen parameters.

    Args:
        configurations: Of each run, as from `configuration`.
        started: When each run began, in any unit; of two equal runs the newer one counts.
        by: Parameters (or config groups, such as `model`) that alone make the groups; none: all but seed and fold.

    Raises:
        ComparisonError: If a key of `by` is unknown, or there are fewer than two groups.
    """
    keys = sorted({key for one in configurations for key in one}, key=lambda key: ("." in key, key == DATA, key))
    varying = [key for key in keys if len({one.get(key) for one in configurations}) > 1]
    chosen = [_known(key, keys) for key in by] or [key for key in varying if key not in REPLICATE_AXES]
    together: dict[tuple[str, ...], list[int]] = {}
    for index, one in enumerate(configurations):
        together.setdefault(_values(one, chosen), []).append(index)
    if len(together) < 2:
        raise ComparisonError(_too_few(len(configurations), varying, by))
    within = [{_values(configurations[i], varying) for i in members} for members in together.values()]
    axes = [
        key
        for position, key in enumerate(varying)
        if key not in chosen
        and (key in REPLICATE_AXES or any(len({values[position] for values in group}) > 1 for group in within))
    ]
    newest = [_newest(members, configurations, started, axes) for members in together.values()]
    # With `by` the table also tells what follows from the chosen keys, but the names do not.
    apart = sorted((key for key in varying if key not in axes), key=lambda key: key not in chosen)
    firsts = [configurations[members[0]] for members in together.values()]
    parameters, copies = _without_copies(
        {key: tuple(shown(key, one.get(key, ABSENT)) for one in firsts) for key in apart}
    )
    names = _names({key: values for key, values in parameters.items() if key in chosen})
    groups = tuple(
        Group(_label(number), name, tuple(latest.values()), tuple(latest))
        for number, (name, latest) in enumerate(zip(names, newest, strict=True))
    )
    counted = {index for one in groups for index in one.members}
    repeated = tuple(index for index in range(len(configurations)) if index not in counted)
    return Grouping(groups, tuple(axes), parameters, copies, repeated)


def shown(key: str, value: str) -> str:
    """Returns a value as a person would write it: the option instead of its builder, a digest in short."""
    if key.endswith(_TARGET) and value.count(".") >= 2:
        return value.split(".")[-2]
    return value[:12] if key == DATA else value


def title(key: str) -> str:
    """Returns a parameter as a person would write it: `model._target_` is `model`."""
    return key.removesuffix(_TARGET)


def _values(configuration: Mapping[str, str], keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(configuration.get(key, ABSENT) for key in keys)


def _newest(
    members: Sequence[int], configurations: Sequence[Mapping[str, str]], started: Sequence[int], axes: Sequence[str]
) -> dict[tuple[str, ...], int]:
    """Returns replicate -> the newest of its runs, in the order of the runs."""
    latest: dict[tuple[str, ...], int] = {}
    for index in sorted(members, key=lambda index: started[index]):
        latest[_values(configurations[index], axes)] = index
    return dict(sorted(latest.items(), key=lambda item: item[1]))


def _known(key: str, keys: Sequence[str]) -> str:
    for candidate in (f"{key}{_TARGET}", key):
        if candidate in keys:
            return candidate
    nearest = difflib.get_close_matches(key, [title(known) for known in keys], n=1)
    hint = f" Did you mean {nearest[0]}?" if nearest else ""
    raise ComparisonError(
        f"`--by` must name parameters of the runs that bear on their test numbers. Received: --by {key}.{hint}"
    )


def _too_few(count: int, varying: Sequence[str], by: Sequence[str]) -> str:
    found = "1 run" if count == 1 else f"{count} runs"
    if by:
        found += f" with the same {', '.join(by)}"
    elif count > 1:
        found += f" that differ in nothing but {', '.join(varying)}" if varying else " of the same configuration"
    return (
        f"`id` must name runs of at least two configurations. Received: {found}. Name more runs, or a sweep's parent."
    )


def _without_copies(
    table: Mapping[str, tuple[str, ...]],
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Returns the rows with different values, and which others are the same as each; the first of equals stays."""
    firsts: dict[tuple[str, ...], str] = {}
    copies: dict[str, tuple[str, ...]] = {}
    for key, values in table.items():
        first = firsts.setdefault(values, key)
        if first != key:
            copies[first] = (*copies.get(first, ()), key)
    return {key: table[key] for key in firsts.values()}, copies


def _names(table: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names each group by as few parameters as keep the names apart."""

    def follows(key: str) -> bool:
        """Whether a key is there only because of the option chosen, and is the same wherever it is."""
        root = key.partition(".")[0]
        owned = key not in (root, f"{root}{_TARGET}") and (root in table or f"{root}{_TARGET}" in table)
        return owned and len(set(table[key]) - {ABSENT}) == 1 and ABSENT in table[key]

    for keys in ([key for key in table if key != DATA and not follows(key)], list(table)):
        names = [
            " ".join(
                f"{title(key)}={_short(values[number])}"
                for key, values in table.items()
                if key in keys and not (values[number] == ABSENT and "." in key)
            )
            for number in range(len(next(iter(table.values()))))
        ]
        if len(set(names)) == len(names) and all(names):
            return names
    return [name or "otherwise" for name in names]


def _short(value: str, most: int = 32) -> str:
    return value if len(value) <= most else f"{value[: most // 2 - 1]}…{value[-most // 2 :]}"


def _label(number: int) -> str:
    """Returns A to Z, then AA, AB and so on."""
    letters = string.ascii_uppercase
    return letters[number] if number < 26 else _label(number // 26 - 1) + letters[number % 26]
