"""What a `.tflite` file carries behind the network: `labels.txt` and `metadata.json` in a zip, and how it is written.

Interpreters read a file up to where its flatbuffer ends and ignore the rest; Android's readers of labels, and any zip
tool, find the rest from the end. Called by `litert_guard` and the export options. It must not know what is in the
network.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fer_exp.process import folders

LABELS, METADATA = "labels.txt", "metadata.json"
_MOST_BYTES = 1 << 20  # of an entry that is read: a file may come from anywhere
_DATE = (1980, 1, 1, 0, 0, 0)  # a fixed one makes equal models equal files


def with_labels(content: bytes, class_names: tuple[str, ...]) -> bytes:
    """Returns the content with `labels.txt` behind it, one name a line.

    Source:
        https://ai.google.dev/edge/litert/models/metadata (associated files).
    """
    return _with_entry(content, LABELS, "\n".join(class_names) + "\n")


def with_metadata(content: bytes, metadata: Mapping[str, Any]) -> bytes:
    """Returns the content with `metadata.json` behind it.

    Args:
        content: Of a `.tflite` file, with labels or without.
        metadata: What JSON can hold; NaN and infinity are refused, because most readers refuse them too.
    """
    return _with_entry(content, METADATA, json.dumps(metadata, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_labels(path: Path) -> tuple[str, ...]:
    """Returns the class names inside a `.tflite` file.

    Raises:
        ValueError: If there are none that can be read; the message says why.
    """
    return tuple(_read(path, LABELS).splitlines())


def read_metadata(path: Path) -> dict[str, Any]:
    """Returns the metadata inside a `.tflite` file.

    Raises:
        ValueError: If there are none that can be read; the message says why.
    """
    try:
        metadata = json.loads(_read(path, METADATA))
    except RecursionError as error:
        raise ValueError(f"{METADATA} in it is nested too deeply") from error
    if not isinstance(metadata, dict):
        raise ValueError(f"{METADATA} in it must hold names and values")
    return metadata


def write(path: Path, content: bytes) -> None:
    """Writes a file in one step, so that a killed run leaves the whole file or none.

    Args:
        path: Target; its folder is made if needed.
        content: Of the file.
    """
    with folders.put(path) as part:
        part.write_bytes(content)


def _with_entry(content: bytes, name: str, text: str) -> bytes:
    # Appending to the flatbuffer keeps the offsets inside the zip relative to the start of the whole file.
    buffer = io.BytesIO(content)
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a", compression=zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(name, date_time=_DATE), text)
    return buffer.getvalue()


def _read(path: Path, name: str) -> str:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as entry:
            read = entry.read(_MOST_BYTES + 1)
        text = read.decode("utf-8")
    except KeyError:
        raise ValueError(f"there is no {name} in it") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise ValueError(f"no {name} can be read from it: {error}") from error
    if len(read) > _MOST_BYTES:
        raise ValueError(f"{name} in it must have at most {_MOST_BYTES:,} bytes")
    return text
