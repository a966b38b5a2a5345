"""What cameras note in a picture, sound and malformed."""

import struct


def exif(orientation: int | None, *more: bytes) -> bytes:
    """An EXIF block: the orientation, and entries as they are, each with eight bytes of its own behind all of them."""
    entries = [] if orientation is None else [struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)]
    count = len(entries) + len(more)
    behind = 8 + 2 + 12 * count + 4
    rationals = [struct.pack(">HHII", 0x011A + n, 10, 1, behind + 8 * n) for n in range(len(more))]
    head = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", count)
    return head + b"".join([*entries, *rationals]) + bytes(4) + b"".join(more)
