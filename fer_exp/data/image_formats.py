"""Which files are pictures that are read here, and why others are not.

Called by whoever opens pictures or looks for them in folders. What is read is what the installed Pillow and its plugins
decode, so that a package makes a format readable, and nothing else does. It decodes nothing itself.
"""

import importlib
import importlib.util
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from PIL import Image

# Formats that Pillow registers and that are not opened, whatever a file is called.
_NOT_OPENED = frozenset({
    *("EPS", "WMF"),  # Pillow has another program, or Windows, draw them
    *("BUFR", "GRIB", "HDF5", "MPEG"),  # Pillow knows their names, and decodes none of them
    *("FITS", "MCIDAS", "SPIDER", "IMT", "IPTC"),  # measurements and containers, mostly without a signature
})  # fmt: skip
VIDEOS = (
    *(".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"),
    *(".3gp", ".flv", ".m2ts", ".mts", ".ogv", ".wmv"),
)
"""How the names of videos end."""
_USUAL = ("JPEG", "PNG")  # tried first
_PLUGINS = {"pillow_heif": "register_heif_opener", "pillow_jxl": "", "pillow_avif": ""}
"""Modules that add formats to Pillow, and the function of each that does; an import alone is enough for the others."""
_PACKAGES = {
    **dict.fromkeys((".heic", ".heif", ".hif", ".heics"), "pillow-heif"),
    ".jxl": "pillow-jxl-plugin",
    **dict.fromkeys((".avif", ".avifs"), "pillow 11.3 or later"),
}
"""Endings of pictures that need a package, and which one."""
_CAMERA = (
    ".3fr",
    ".arw",
    ".cr2",
    ".cr3",
    ".crw",
    ".dng",
    ".nef",
    ".nrw",
    ".orf",
    ".pef",
    ".raf",
    ".raw",
    ".rw2",
    ".srw",
)
_DRAWN = (".ai", ".emf", ".eps", ".pdf", ".ps", ".svg", ".svgz", ".wmf")
_PACKED = (".7z", ".gz", ".rar", ".tar", ".tgz", ".zip")
_OF_SYSTEM = ("thumbs.db", "desktop.ini", "ehthumbs.db")
_HEAD_BYTES = 32
_BRANDS = re.compile(rb"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL ")
_log = logging.getLogger(__name__)


@cache
def _known() -> tuple[tuple[str, ...], dict[str, str]]:
    """Returns the formats that are opened, and the format of each ending."""
    Image.init()
    for module, register in _PLUGINS.items():
        if importlib.util.find_spec(module) is None:
            continue
        try:
            plugin = importlib.import_module(module)
            if register:
                getattr(plugin, register)()
        except (ImportError, AttributeError, OSError) as error:  # of another version, or built for another machine
            _log.warning("The installed %s cannot be used, so its pictures are not read: %s", module, error)
    opened = (name for name in Image.ID if name in Image.OPEN and name not in _NOT_OPENED)
    formats = tuple(sorted(opened, key=lambda name: (name not in _USUAL, name)))
    readable = {*formats, *(["MPO"] if "JPEG" in formats else [])}  # a JPEG with more pictures behind the first
    endings = {suffix: name for suffix, name in Image.registered_extensions().items() if name in readable}
    return formats, endings


def formats(path: Path | str) -> list[str]:
    """Returns the formats that a file may have; those without a signature only if its name says so."""
    names, endings = _known()
    said = endings.get(_suffix(os.fspath(path)))
    return [name for name in names if Image.OPEN[name][1] is not None or name == said]


def readable() -> str:
    """Returns the names of all formats that are read, for keys of caches."""
    return " ".join(_known()[0])


def endings() -> tuple[str, ...]:
    """Returns how the names of pictures that are read end, the most usual first, in lower case."""
    usual = (".jpg", ".jpeg", ".png")
    return (*usual, *sorted(set(_known()[1]) - set(usual)))


def is_picture(name: str) -> bool:
    """Tells whether a file is read as a picture, by its name in any case."""
    return _suffix(name) in _known()[1]


def needs(path: Path | str) -> str:
    """Returns what has to be installed for a picture that Pillow does not know; empty if nothing helps.

    The first bytes count: a telephone's HEIC is often called `.jpg`.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return ""
    suffix = ".heic" if _BRANDS.match(head) else ".jxl" if head.startswith(_JXL) else _suffix(os.fspath(path))
    return "" if suffix in _known()[1] else _PACKAGES.get(suffix, "")


def reason(name: str) -> str:
    """Returns why a file is not read as a picture, by its name; empty for what the system puts into folders."""
    suffix = _suffix(name)
    if suffix in _PACKAGES:
        return f"install {_PACKAGES[suffix]} to read them"
    if suffix in _CAMERA or suffix in _DRAWN:
        return "convert them to PNG or JPEG"
    if suffix in VIDEOS:
        return "videos"
    if suffix in _PACKED:
        return "unpack them"
    return "" if os.path.basename(name).casefold() in _OF_SYSTEM else "no pictures"


def by_kind(names: Iterable[str], why: Callable[[str], str] = reason) -> str:
    """Returns how many files of each kind are left out, and why: `3 .heic (install pillow-heif to read them)`.

    Args:
        names: Of the files.
        why: Says why a file is left out, by its name; nothing is said of those of which it says nothing.
    """
    counts = Counter((why(name), _suffix(name) or "without an ending") for name in names)
    told = [(count, ending, said) for (said, ending), count in sorted(counts.items()) if said]
    groups: dict[str, list[str]] = {}
    for count, ending, said in told:
        groups.setdefault(said, []).append(f"{count:,} {ending}")
    return ", ".join(f"{', '.join(parts)} ({said})" for said, parts in groups.items())


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].casefold()
