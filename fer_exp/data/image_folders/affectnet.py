"""What both forms of AffectNet say: a file, an expression, and whether it is of the official validation set.

Called by the readers of either form and by the option `affectnet`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Annotations:
    """What is said of the images, in columns: they may be a million.

    Attributes:
        folder: Folder that the paths count from.
        paths: bytes (n,), UTF-8, each one once.
        codes: uint8 (n,), a position in `label_codes.AFFECTNET`.
        official_val: bool (n,), which are of the official validation set; the others are for training.
        boxes: int32 (n, 4), x, y, width and height of the face; None if the images are faces.
        notes: What was left out, in numbers.
        rejected: Name and reason of each row or file that was left out because it is malformed.
    """

    folder: Path
    paths: np.ndarray
    codes: np.ndarray
    official_val: np.ndarray
    boxes: np.ndarray | None
    notes: Mapping[str, Any]
    rejected: Sequence[tuple[str, str]] = ()
