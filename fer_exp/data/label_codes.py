"""What the numbers mean by which data sets name their classes; no two of them agree.

Pure Python, for the readers of these data sets, and for folders that are named by such numbers.

Sources:
    FER2013: Goodfellow et al., 2013, https://arxiv.org/abs/1307.0414.
    FER+: the columns of fer2013new.csv, https://github.com/microsoft/FERPlus.
    AffectNet: Mollahosseini, Hasani and Mahoor, 2017, https://arxiv.org/abs/1708.03985.
    RAF-DB: Li, Deng and Du, CVPR 2017, http://www.whdeng.cn/RAF/model1.html.
    CK+: Lucey et al., 2010, https://doi.org/10.1109/CVPRW.2010.5543262. `ckextended` is a csv of its faces in the form
        of FER2013's, whose codes it takes over, with contempt as 7.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from fer_exp.data.emotions import EIGHT, EMOTIONS

AFFECTNET: Sequence[str] = (
    *("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"),
    *("none", "uncertain", "no_face"),
)
"""Meaning of each number from 0; the last three are no expressions."""
CKPLUS: Sequence[str] = ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")
"""Meaning of each number from 0, in the label files of the release."""
RAFDB: Mapping[int, str] = {1: "surprise", 2: "fear", 3: "disgust", 4: "happy", 5: "sad", 6: "angry", 7: "neutral"}
"""Meaning of each number."""
_FERPLUS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")

Codes = Literal["affectnet", "ckextended", "ckplus", "fer2013", "ferplus", "rafdb"]
"""A numbering by name."""
NUMBERINGS: Mapping[Codes, Mapping[int, str]] = {
    "affectnet": dict(enumerate(AFFECTNET)),
    "ckextended": dict(enumerate(EIGHT)),
    "ckplus": dict(enumerate(CKPLUS)),
    "fer2013": dict(enumerate(EMOTIONS)),
    "ferplus": dict(enumerate(_FERPLUS)),
    "rafdb": RAFDB,
}
"""What each number means, by numbering."""


def number(text: str) -> int | None:
    """Returns the number that a folder is named by; None if it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 3 else None


def advice(folders: Sequence[str]) -> str:
    """Returns how to say what folders that are numbers mean, to be put behind `dataset=image_folder`; or nothing."""
    known = fitting(folders)
    return f" dataset.codes=<{' or '.join(known)}>" if known else ""


def fitting(folders: Sequence[str]) -> list[Codes]:
    """Returns the numberings that know all folders; none unless all of them are numbers.

    Args:
        folders: Names of class folders.
    """
    numbers = [number(folder) for folder in folders]
    return [name for name, meanings in NUMBERINGS.items() if numbers and all(n in meanings for n in numbers)]
