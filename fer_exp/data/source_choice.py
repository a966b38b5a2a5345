"""Which of several data sets are trained on, and which are tested on.

Called by `config`, which refuses a bad choice before anything is read, and by the option `combine`, which makes it. It
knows the data sets by name only.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

_MISSING = "???"  # as Hydra writes what must be given
_FEWEST = 2
_FILES = ("path", "votes")  # options that name what a source is read from

Choice = str | list[str] | None


@dataclass(frozen=True)
class Roles:
    """What the sources are for.

    Attributes:
        train: Names of those whose train and val splits are used.
        test: Names of those that are tested on.
    """

    train: tuple[str, ...]
    test: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """All names, each once."""
        return tuple(dict.fromkeys((*self.train, *self.test)))


def roles(names: tuple[str, ...], train: Choice, test: Choice) -> Roles:
    """Returns what each source is for.

    Args:
        names: Of the sources.
        train: Names; None for all that are not named in `test`.
        test: Names; None for those that are trained on.
    """
    tested, trained = _listed(test), _listed(train)
    trained = tuple(name for name in names if name not in tested) if train is None else trained
    return Roles(trained, trained if test is None else tested)


def given(node: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the node of `combine` without the sources of which nobody gave a file.

    One with votes and no path stays, for the check to say that the path is missing.
    """
    sources = node.get("sources")
    if not isinstance(sources, Mapping):
        return dict(node)

    def wanted(source: Any) -> bool:
        files = [source[key] for key in _FILES if key in source] if isinstance(source, Mapping) else []
        return not files or any(file != _MISSING for file in files)

    kept = {name: source for name, source in sources.items() if wanted(source)}
    return {**node, "sources": kept}


def problems(
    names: tuple[str, ...], train: Choice, test: Choice, test_images: Literal["split", "all"]
) -> Iterator[str]:
    """Yields what is wrong with a choice.

    Args:
        names: Of the sources.
        train: As of `roles`.
        test: As of `roles`.
        test_images: Whether a source is tested on with its test split, or with all of its images.
    """
    if len(names) < _FEWEST:
        yield (
            "`dataset.sources` must hold two data sets or more: give the path of each, for example "
            "dataset.sources.fer2013.path=... dataset.sources.rafdb.path=... "
            f"Received: {', '.join(names) or 'none'}."
        )
        return
    strange = [name for name in names if not re.fullmatch(r"[\w-]+", name)]
    if strange:
        yield f"`dataset.sources` must have names of letters, digits, _ and -. Received: {', '.join(strange)}."
    choices = {"train": train, "test": test}
    unknown = {key: [name for name in _listed(choice) if name not in names] for key, choice in choices.items()}
    for key, wrong in unknown.items():
        if wrong:
            yield (
                f"`dataset.{key}` must name sources whose path is given: {', '.join(names)}. "
                f"Received: {', '.join(wrong)}."
            )
    chosen = roles(names, train, test)
    if not any(unknown.values()) and not (chosen.train and chosen.test):
        yield f"`dataset.test` must leave a source to train on. Received: train={train} test={test}."
    both = [name for name in chosen.test if name in chosen.train]
    if test_images == "all" and both:
        yield (
            "`dataset.test_images`=all needs sources that are tested on only: name them as dataset.test. "
            f"Received: {', '.join(both)}, trained on too."
        )


def _listed(choice: Choice) -> tuple[str, ...]:
    return () if choice is None else (choice,) if isinstance(choice, str) else tuple(choice)
