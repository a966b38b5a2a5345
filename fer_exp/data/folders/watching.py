"""How far long reading has come: a line every few seconds, none for what is quick.

Called by whoever reads hundreds of thousands of small things.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

_SECONDS = 10.0  # between two lines, and before the first
_log = logging.getLogger(__name__)
T = TypeVar("T")


def watched(items: Iterable[T], what: str, each: int = 1, total: int | None = None) -> Iterator[T]:
    """Yields items, and says now and then how much there was.

    Args:
        items: What is gone through.
        what: What they hold, for example `annotations read`.
        each: How many of that an item holds.
        total: How many there will be, if that is known.
    """
    said = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said >= _SECONDS:
            said = now
            _log.info("%s: %s%s", what, f"{number * each:,}", "" if total is None else f" of {total:,}")
