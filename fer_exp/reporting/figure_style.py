"""What all pictures share: inks, the headline, readable print on colour, and how a file is written.

Called by the modules that draw. Figures are built without pyplot, whose global state would keep every figure of a
sweep alive and would look for a display.
"""

import functools
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fer_exp.process import folders

DPI = 120
_COMPRESSION = 3  # of 9: packing takes less time than at the usual 6, and files grow by a fifth at most
_LACKING = re.compile(r"Glyph \d+ .* missing from")
_log = logging.getLogger(__name__)
INK, FAINT = "#222222", "#6b6b6b"


def save(figure: Figure, path: Path) -> None:
    """Writes the figure as PNG in one step, so that a killed run leaves the whole file or none.

    Args:
        figure: What to write.
        path: Target ending in `.png`; its folder is made if needed.

    Raises:
        ValueError: If `path` has another ending.
    """
    if path.suffix != ".png":
        raise ValueError(f"`path` must end in .png. Received: {path}.")
    engine = figure.get_layout_engine()
    with folders.put(path) as part, _signs_told_once():
        if engine is not None:
            # Once: `savefig` would draw the whole figure for the layout before it draws it.
            engine.execute(figure)
            figure.set_layout_engine("none")
        figure.savefig(part, format="png", pil_kwargs={"compress_level": _COMPRESSION})


@contextmanager
def _signs_told_once() -> Iterator[None]:
    """Says in one line, once for a process, that the font lacks signs; matplotlib would for each sign of each name."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    lacking = [str(warning.message) for warning in caught if _LACKING.match(str(warning.message))]
    if lacking:
        _tell_of_the_font()
    for warning in caught:
        if not _LACKING.match(str(warning.message)):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


@functools.cache
def _tell_of_the_font() -> None:
    _log.warning("The font of the pictures lacks signs of some names: boxes stand in their place. Tables have them.")


def headline(figure: Figure, title: str, subtitle: str) -> None:
    """Writes a bold title and plain lines below it at the top left, and keeps the layout out of their way."""
    height = figure.get_figheight()
    left = 0.12 / figure.get_figwidth()
    style: dict[str, Any] = {"va": "top", "parse_math": False}  # a name may hold what looks like a formula
    figure.text(left, 1 - 0.1 / height, title, fontsize=13, fontweight="bold", color=INK, **style)
    figure.text(left, 1 - 0.37 / height, subtitle, fontsize=9.5, linespacing=1.3, color=FAINT, **style)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, 0, 1, 1 - headline_height(subtitle) / height))


def headline_height(subtitle: str) -> float:
    """Returns how much of the top of a figure a headline takes, in inches."""
    return 0.45 + 0.17 * (subtitle.count("\n") + 1)


def readable_on(color: np.ndarray) -> str:
    """Returns white or black ink, whichever contrasts more with an RGB colour. Source: WCAG 2.2, contrast ratio."""
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    ink = 0.016  # luminance of INK
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / (ink + 0.05) else INK
