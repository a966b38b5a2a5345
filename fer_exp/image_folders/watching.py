"""How far long reading has come: a line every few seconds, none for what is quick.

Called by whoever reads hundreds of thousands of small things.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_SECONDS = 10.0  # between two lines, and before the first
_log = logging.getLogger(__name__)


def watched(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yields items, and says now and then how many there were.

    Args:
        items: What is gone through.
        total: How many there will be.
        what: What they are, for example `annotations read`.
    """
    said = time.monotonic()
    for number, item in enumerate(items):
        yield item
        now = time.monotonic()
        if now - said >= _SECONDS:
            said = now
            _log.info("%s: %s of %s", what, f"{number + 1:,}", f"{total:,}")
