"""What is known of the original FER2013 as a whole: how many images of each class each of its parts holds.

Pure Python, for whoever tells a complete copy from another one.

Source: Goodfellow et al., "Challenges in Representation Learning", 2013, https://arxiv.org/abs/1307.0414 (totals of the
parts and of the classes); the counts of each part are those of the csv of the Kaggle challenge.
"""

from collections.abc import Mapping

OFFICIAL_COUNTS: Mapping[str, Mapping[str, int]] = {
    "Training": {
        "angry": 3995, "disgust": 436, "fear": 4097, "happy": 7215, "sad": 4830, "surprise": 3171, "neutral": 4965,
    },
    "PublicTest": {
        "angry": 467, "disgust": 56, "fear": 496, "happy": 895, "sad": 653, "surprise": 415, "neutral": 607,
    },
    "PrivateTest": {
        "angry": 491, "disgust": 55, "fear": 528, "happy": 879, "sad": 594, "surprise": 416, "neutral": 626,
    },
}  # fmt: skip
"""Images of each class, by Usage: 28,709, 3,589 and 3,589."""
