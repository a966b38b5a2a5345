"""What the published FER2013 holds: the numbers a copy of it is compared with.

Used by whatever says whether a copy is complete. Pure Python; it reads nothing.

Source: Goodfellow et al., "Challenges in Representation Learning", 2013, https://arxiv.org/abs/1307.0414.
"""

from collections.abc import Mapping

SPLIT_COUNTS: Mapping[str, int] = {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}
"""Images of each Usage."""

TRAIN_COUNTS: Mapping[str, int] = {
    "angry": 3_995,
    "disgust": 436,
    "fear": 4_097,
    "happy": 7_215,
    "sad": 4_830,
    "surprise": 3_171,
    "neutral": 4_965,
}
"""Images of each class in Training."""
