"""The seven basic expressions: the label set every data set of the field is mapped to.

Pure Python, so that any floor may import it. The order is the code order of the original `fer2013.csv`, which is
not alphabetical: map folders by name, never by their position.

Source: Goodfellow et al., "Challenges in Representation Learning", 2013, https://arxiv.org/abs/1307.0414.
"""

EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
