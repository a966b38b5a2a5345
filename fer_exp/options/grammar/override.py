"""Overrides, Hydra's `key=value`: read, quoted, and explained where they cannot be read.

Called by `commandline` and the search with what a person has typed, and by whoever writes an override for another
process. Hydra tells of its parser; here it is told what was typed and how to write it. Which keys there are is not
known here.
"""

import re
import shlex
from collections.abc import Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

_PARSERS_WORDS = re.compile(r"token recognition error|no viable alternative|mismatched input|extraneous input|missing ")
_KEY = re.compile(r"[+~]*[\w$./@:-]*", re.ASCII)
_MOST_LETTERS = 300  # of an override, in a message
_PAIRS = {"(": ")", "[": "]", "{": "}"}


def quoted(text: str) -> str:
    """Returns a text as the right side of an override, whatever is in it: `fer 2013.csv` -> `'fer 2013.csv'`.

    Not even a `${` in it is taken for a reference.
    """
    literally = re.sub(r"(\\*)\$\{", lambda found: f"{found[1] * 2}\\${{", text)
    quote = Quote.double if "'" in text and '"' not in text else Quote.single
    return QuotedString(literally, quote).with_quotes()


def typed(word: str) -> str:
    """Returns a word as it is typed in a shell; one with quotes of its own in double ones, so that it can be read."""
    if "'" in word and not re.search(r"[$`\\!]", word):
        return '"{}"'.format(word.replace('"', '\\"'))
    return shlex.quote(word)


def read(word: str, loader: ConfigLoader | None = None) -> Override:
    """Reads an override.

    Args:
        word: As typed.
        loader: Hydra's, which knows the options that a `glob` stands for.

    Raises:
        ValueError: If it cannot be read; the message is a sentence that names the key, what was received, and how to
            write it.
    """
    if problem := _problem_of_shape(word):
        raise ValueError(problem)
    try:
        override = OverridesParser.create(loader).parse_override(word)
    except (HydraException, RecursionError) as error:
        raise ValueError(_problem_of_value(word, error)) from error
    override.config_loader = loader  # which only `parse_overrides` sets, whose errors do not tell what is wrong
    return override


def read_all(words: Sequence[str], loader: ConfigLoader | None = None) -> list[Override]:
    """Reads the overrides of a command line.

    Args:
        words: As typed.
        loader: As of `read`.

    Raises:
        ValueError: With a line for each that cannot be read.
    """
    found, problems = [], _torn(words)
    for word in [] if problems else words:
        try:
            found.append(read(word, loader))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))
    return found


def as_text(word: str) -> str:
    """Returns an override whose numbers and truth values are the texts that were typed: `name=1e3` -> `name='1e3'`.

    One with anything else than plain values, such as quotes, brackets or a reference, is returned as it is.
    """
    key, value = split(word)
    elements = [element.strip() for element in value.split(",")]
    if "=" not in word or not all(re.fullmatch(r"[\w/+.%*@?|-]+", element, re.ASCII) for element in elements):
        return word
    texts = [isinstance(read(f"_={element}").value(), int | float) for element in elements]
    quotes = [quoted(element) if is_text else element for element, is_text in zip(elements, texts, strict=True)]
    return f"{key}={','.join(quotes)}" if any(texts) else word


def split(word: str) -> tuple[str, str]:
    """Returns key and right side of an override, both as typed."""
    key, _, value = word.partition("=")
    return key, value


def _torn(words: Sequence[str]) -> list[str]:
    """Returns a sentence for each override that a blank has torn into words, such as `model cnn` or `seed= 3`."""
    problems = []
    rest = list(words)
    while rest:
        count = _torn_words(rest)
        if count:
            taken = rest[:count]
            key, value = split("".join(taken) if any("=" in word for word in taken) else "=".join(taken))
            problems.append(
                f"`{key}` must be one word with its value, without blanks. Received: {' '.join(taken)}. "
                f"Write {typed(f'{key}={value}')}."
            )
        del rest[: count or 1]
    return problems


def _torn_words(words: Sequence[str]) -> int:
    """Returns how many words from the first on are one override; 0 if the first is whole, or stands alone."""
    first, *others = words
    if first.startswith("~"):
        return 0
    following = others[0] if others else ""
    if "=" not in first:  # `seed = 3`, `seed =3`, `model cnn`
        if following == "=":
            return min(3, len(words))
        if following.startswith("="):
            return 2
        return 2 if following and "=" not in following and not following.startswith("~") else 0
    whole = first.endswith("=") and following and "=" not in following and not following.startswith("~")
    return 2 if whole and first != "=" else 0  # `seed= 3`


def _problem_of_shape(word: str) -> str:
    """Returns what is wrong with the key or with where the `=` stands; empty if nothing is."""
    key, value = split(word)
    if "=" not in word:
        if word.startswith("~") and _KEY.fullmatch(word):
            return ""
        return f"`{word}` has no value. Received: {word}. Write {typed(f'{word}=<value>')}."
    if not key.strip("+~ "):
        return f"A value has no key. Received: {word}. Write {typed(f'<key>={value}')}."
    if key != key.strip():
        means = typed(f"{key.strip()}={value.strip()}")
        return f"`{key.strip()}` must be followed by `=`, without blanks. Received: {word}. Write {means}."
    if not _KEY.fullmatch(key):
        return f"`{key}` is no key: keys are made of letters, digits and _ . / @ -. Received: {word}."
    return ""


def _problem_of_value(word: str, error: Exception) -> str:
    key, value = split(word)
    received = word if len(word) <= _MOST_LETTERS else f"{word[:_MOST_LETTERS]}..."
    if isinstance(error, RecursionError):
        return f"`{key}` cannot be read: it has too many brackets within brackets. Received: {received}."
    text = value.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    means = f" If it is a text, write {typed(f'{key}={quoted(text)}')}." if received == word else ""
    return f"`{key}` cannot be read: {_reason(str(error), value)}. Received: {received}.{means}"


def _reason(said: str, value: str) -> str:
    """Returns why a value cannot be read: what a function objects to, or what is open, or that it needs quotes."""
    evaluated = re.search(r"\w+ while evaluating '(?P<call>.*?)': (?P<why>[^\n]*)(?:\nAvailable: (?P<known>.*))?", said)
    if evaluated:
        known = f", of which there are {evaluated['known'].replace(',', ', ')}" if evaluated["known"] else ""
        return f"{evaluated['call']} is a function call that does not work ({evaluated['why'].rstrip('.')}{known})"
    if not _PARSERS_WORDS.search(said):
        return " ".join(said.splitlines()[0].split()).rstrip(".")
    if value.count("'") % 2 or value.count('"') % 2:
        return "a quote in it has no partner"
    if open_bracket := _unbalanced(value):
        return f"a bracket in it has no partner ({open_bracket})"
    return "blanks and signs such as ( ) [ ] { } , : = ' \" # and letters beyond a-z need quotes"


def _unbalanced(value: str) -> str:
    """Returns the first bracket without a partner, quoted texts left out; empty if all have one."""
    expected: list[tuple[str, str]] = []
    for letter in re.sub(r"'[^']*'|\"[^\"]*\"", "", value):
        if letter in _PAIRS:
            expected.append((_PAIRS[letter], letter))
        elif letter in _PAIRS.values() and (not expected or expected.pop()[0] != letter):
            return letter
    return expected[0][1] if expected else ""
