"""What is known of other data sets as a whole: how many images of each class each of their parts holds.

Pure Python, for whoever tells a complete copy from another one. FER2013 has a module of its own, `fer2013_facts`.

Sources:
    FER+: the totals come from the rules of the reference code on the complete files (docs/datasets.md).
    RAF-DB: http://www.whdeng.cn/RAF/model1.html (12,271 and 3,068 images). The classes are those that public code which
        reads the release states alike, such as the `class_sample_count` of samplers; they add up to these totals.
    AffectNet: http://mohammadmahoor.com/affectnet/, the release of 2021 (287,651 and 3,999 images). The classes are
        those that public code for seven classes states (283,901 and 500 each); contempt is what the totals leave.
    CK+: Lucey et al., 2010, https://doi.org/10.1109/CVPRW.2010.5543262: 327 labelled sequences. Code that reads the
        copy CK+48 states three times as many images of each class.
"""

from collections.abc import Mapping

FERPLUS_BY_MAJORITY: Mapping[str, int] = {"Training": 25_045, "PublicTest": 3_191, "PrivateTest": 3_137}
"""Images of FER+ with a label by majority, of eight classes, by Usage."""
FERPLUS_BY_SHARES = 27_947
"""Images of its Training with a distribution, of eight classes."""

RAFDB: Mapping[str, Mapping[str, int]] = {
    "training": {
        "angry": 705, "disgust": 717, "fear": 281, "happy": 4772, "sad": 1982, "surprise": 1290, "neutral": 2524,
    },
    "testing": {
        "angry": 162, "disgust": 160, "fear": 74, "happy": 1185, "sad": 478, "surprise": 329, "neutral": 680,
    },
}  # fmt: skip
"""Images of the single-label part: 12,271 and 3,068."""

AFFECTNET: Mapping[str, Mapping[str, int]] = {
    "training": {
        "angry": 24_882, "disgust": 3_803, "fear": 6_378, "happy": 134_415, "sad": 25_459, "surprise": 14_090,
        "neutral": 74_874, "contempt": 3_750,
    },
    "validation": {
        "angry": 500, "disgust": 500, "fear": 500, "happy": 500, "sad": 500, "surprise": 500, "neutral": 500,
        "contempt": 499,
    },
}  # fmt: skip
"""Images of the release of 2021: 287,651 and 3,999."""

CKPLUS_SEQUENCES: Mapping[str, int] = {
    "angry": 45, "disgust": 59, "fear": 25, "happy": 69, "sad": 28, "surprise": 83, "contempt": 18,
}  # fmt: skip
"""Labelled sequences: 327."""
CKPLUS_COPY_FRAMES = 3
"""Frames of each sequence that the copy CK+48 has."""
