"""What names of classes must be like, for numbers, tables and files to tell them apart at the end of a training.

Called by the readers of data sets before they decode anything, and by `demands` for every data set.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence

from fer_exp.errors import DataError
from fer_exp.reporting.abridged import listed

MOST_LETTERS = 255  # as long as the name of a folder may be
_STEERING = ("Cc", "Cs", "Zl", "Zp")  # control characters, halves of a sign, ends of lines and paragraphs
_CONTAINERS = ("images", "image", "img", "imgs", "labels", "annotations", "data")  # that are no class in any data set


def require_several(names: Sequence[str], source: str) -> None:
    """Refuses data without a second class. A source of `combine` may well have one: others have the rest.

    Args:
        names: Name of each class, in label order.
        source: Where the data are, for the message.

    Raises:
        DataError: If there are fewer than two.
    """
    if len(names) < 2:
        raise DataError(f"{_lonely(names, source)}.")


def require_readable(names: Sequence[str], source: str) -> None:
    """Refuses names by which classes cannot be told apart in tables, in files, or by people.

    Args:
        names: Name of each class, in label order.
        source: Where the data are, for the message.

    Raises:
        DataError: If a name is empty, too long, not one line of text, there twice, or the only one and that of a
            folder which holds the images of all classes.
    """
    strange = [name for name in names if not name.strip() or len(name) > MOST_LETTERS or _steers(name)]
    if strange:
        shown = listed([ascii(name)[:60] for name in strange])
        raise DataError(
            f"The name of a class must be one line of text, of 1 to {MOST_LETTERS} letters: it stands in tables and in "
            f"the labels of exported files. Received: {shown} in {source}. Rename the folder."
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"No two classes may have the same name. Received: {listed(twice)} in {source}, twice.")
    if len(names) == 1 and names[0].casefold() in _CONTAINERS:
        raise DataError(
            f"{_lonely(names, source)}; `{names[0]}` seems to hold the images of all classes, as copies for object "
            "detection do (YOLO: images/ beside labels/). Sort them into folders by their labels."
        )


def _lonely(names: Sequence[str], source: str) -> str:
    return (
        f"There must be two classes or more to tell apart. Received: {source} with "
        f"{f'one, {names[0]}' if names else 'none'}. Images lie in a folder for each class: <class>/*.jpg or "
        "<split>/<class>/*.jpg"
    )


def _steers(name: str) -> bool:
    return any(unicodedata.category(letter) in _STEERING for letter in name)
