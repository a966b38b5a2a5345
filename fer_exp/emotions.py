"""The basic expressions: the label set every data set of the field is mapped to.

Pure Python, so that any floor may import it. The order is the code order of the original `fer2013.csv`, which is
not alphabetical: map folders and codes by name, never by their position.

Source: Goodfellow et al., "Challenges in Representation Learning", 2013, https://arxiv.org/abs/1307.0414.
"""

EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
EIGHT: tuple[str, ...] = (*EMOTIONS, "contempt")
"""With contempt, where a data set has it: last, so that the other labels stay."""

_ALIASES = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}


def canonical(name: str) -> str:
    """Returns how a class is known: one of `EIGHT` for an expression in any spelling, else the name in lower case."""
    key = name.casefold()
    return _ALIASES.get(key, key)
