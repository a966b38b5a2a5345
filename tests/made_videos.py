"""Small videos as cameras and programs leave them: frames of unequal length, and cut by an edit list."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fer_exp.predict import videos

_BOXES_OF_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts")
RATE = 10  # frames a second, before their times are changed


def write_video(path: Path, frames: int = 10, rate: float = RATE) -> Path:
    """Writes a video whose frames become lighter by 20."""
    writer = videos.Writer(path, rate, (64, 48))
    for index in range(frames):
        writer.add(Image.fromarray(np.full((48, 64, 3), 20 * index % 256, np.uint8)))
    writer.close()
    return path


def with_lengths(path: Path, lengths: Sequence[int]) -> Path:
    """Gives each frame of an MP4 a length of its own, in the lengths of a frame that it has."""
    content = path.read_bytes()
    at = content.index(b"stts") + 12  # behind version, flags and the number of entries
    _, length = struct.unpack(">II", content[at : at + 8])
    entries = b"".join(struct.pack(">II", 1, length * times) for times in lengths)
    path.write_bytes(_with(content, {b"stts": struct.pack(">II", 0, len(lengths)) + entries}))
    cut(path, 0, sum(lengths), RATE)
    return path


def cut(path: Path, first: int, count: int, rate: float = RATE) -> Path:
    """Leaves frames of an MP4 out by an edit list, as telephones and editors do: its bytes stay whole."""
    content = path.read_bytes()
    movie = struct.unpack(">I", content[(at := content.index(b"mvhd") + 16) : at + 4])[0]
    media = struct.unpack(">I", content[(at := content.index(b"mdhd") + 16) : at + 4])[0]
    duration, begin = round(count / rate * movie), round(first / rate * media)
    path.write_bytes(_with(content, {b"elst": struct.pack(">IIIiI", 0, 1, duration, begin, 1 << 16)}))
    return path


def _with(content: bytes, payloads: Mapping[bytes, bytes]) -> bytes:
    """Returns an MP4 with other payloads of some boxes; the pixels stand before all of these, and do not move."""
    made = b""
    while content:
        size, kind = struct.unpack(">I4s", content[:8])
        inner = content[8:size]
        inner = payloads.get(kind, _with(inner, payloads) if kind in _BOXES_OF_BOXES else inner)
        made += struct.pack(">I4s", len(inner) + 8, kind) + inner
        content = content[size:]
    return made
