"""Names, lists and tables made short enough to be read, however many classes there are and whatever they are called.

Called by whatever draws, prints or tells. What is left out stands whole in the CSV files, and the reader is told so.
"""

import math
from collections.abc import Sequence

MOST_CLASSES = 20  # that a picture has room for, one by one
MOST_ROWS = 24  # of a table on the terminal
_MOST_LETTERS = 22  # of a name in a picture
_MOST_NAMES = 10  # in a sentence


def short(name: str, most: int = _MOST_LETTERS) -> str:
    """Returns a name in one line, without its middle if it is long: beginnings are alike, and numbers stand at the end.

    Args:
        name: Of a class or a file.
        most: Letters, >= 3.
    """
    line = " ".join(name.split()) or name
    if len(line) <= most:
        return line
    end = most // 3
    return f"{line[: most - end - 1]}…{line[len(line) - end :]}"


def listed(names: Sequence[str], most: int = _MOST_NAMES) -> str:
    """Returns names for a sentence, the first ones and how many there are more."""
    told = ", ".join(names[:most])
    return told if len(names) <= most else f"{told} and {len(names) - most:,} more"


def every_nth(count: int, most: int) -> list[int]:
    """Returns numbers from 0 on, all or each n-th of them, at most so many: for the ticks of an axis."""
    return list(range(0, count, max(math.ceil(count / most), 1)))


def spread(count: int, most: int) -> list[int]:
    """Returns numbers from 0 on, all if there are no more than `most`, else so many at even distances."""
    if count <= most:
        return list(range(count))
    return [round(position * (count - 1) / (most - 1)) for position in range(most)]
