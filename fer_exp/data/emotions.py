"""The basic expressions: the label set every data set of the field is mapped to.

Pure Python, so that any floor may import it. The order is the code order of the original `fer2013.csv`, which is
not alphabetical: map folders and codes by name, never by their position.

Source: Goodfellow et al., "Challenges in Representation Learning", 2013, https://arxiv.org/abs/1307.0414.
"""

import difflib
from collections.abc import Iterable

EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
EIGHT: tuple[str, ...] = (*EMOTIONS, "contempt")
"""With contempt, where a data set has it: last, so that the other labels stay."""

# Other forms of the words, and misspellings that nothing else is meant by; no words of like meaning: a data set may
# have both (`fear` and `scared`).
_ALIASES = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "hapiness": "happy",
    "happyness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "suprise": "surprise",
    "suprised": "surprise",
    "surprize": "surprise",
    "neutrality": "neutral",
    "natural": "neutral",  # a class of several copies on Kaggle
    "contemptuous": "contempt",
}
_ALIKE = 0.75  # of 1: `hapy` is happy (0.89), `suprize` surprise (0.80), `bored` none of them


def canonical(name: str) -> str:
    """Returns how a class is known: one of `EIGHT` for an expression in any spelling, else the name in lower case."""
    key = name.casefold()
    return _ALIASES.get(key, key)


def misnamed(names: Iterable[str]) -> dict[str, str]:
    """Returns which classes are probably expressions under a mistaken name, and which expression each is.

    Args:
        names: All classes of a data set.

    Returns:
        By name as it is: one of `EIGHT` that no other class is, and that the name is nearly. Empty unless more than
        half of the classes are expressions: others have their own reasons for their names.
    """
    spelled = {name: canonical(name) for name in names}
    expressions = set(spelled.values()) & set(EIGHT)
    if 2 * len(expressions) <= len(spelled):
        return {}
    missing = {word: name for word, name in _words().items() if name not in expressions}
    found = {}
    for name, key in spelled.items():
        nearest = [] if key in EIGHT else difflib.get_close_matches(key, missing, n=1, cutoff=_ALIKE)
        if nearest:
            found[name] = missing[nearest[0]]
    return found


def _words() -> dict[str, str]:
    """Returns what each known word means."""
    return {**{name: name for name in EIGHT}, **_ALIASES}
