"""Opens a file that may be compressed or packed, as one stream of bytes.

Called by the readers of data sets that are one text file. The first bytes tell the kind, never the
name. Nothing is ever extracted to disk, so that no name inside an archive can reach outside. Knows no file
format beyond gzip, zip and tar.
"""

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from isal import igzip_lib, isal_zlib

from fer_exp.errors import DataError

LIMIT_BYTES = 4 << 30
"""Refused beyond this many uncompressed bytes; the largest csv of FER2013 has 0.3 GB."""

_GZIP, _ZIP, _TAR = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06"), b"ustar"
_TAR_MAGIC_AT = 257
_SHOWN = 5  # names in a message
_FEED_BYTES = 1 << 18
_DAMAGE = (
    EOFError,
    igzip_lib.IsalError,
    NotImplementedError,  # a zip member packed by a method that Python does not know
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


class Readable(Protocol):
    """What a parser needs of a stream."""

    def read(self, size: int, /) -> bytes:
        """Returns at most `size` bytes, and none only at the end."""


class Stream:
    """The readable end of an archive: bounded, and with errors that name the file.

    Args:
        raw: Where the bytes come from.
        path: The file on disk, for the messages.
        limit_bytes: How many bytes may be read before the file is refused.
    """

    def __init__(self, raw: Readable, path: Path, limit_bytes: int) -> None:
        self._raw, self._path, self._limit, self._left = raw, path, limit_bytes, limit_bytes

    def read(self, size: int, /) -> bytes:
        """Returns at most `size` bytes, and none only at the end.

        Raises:
            DataError: If the archive is truncated or damaged, or holds more than the limit.
        """
        with _explained(self._path):
            data = self._raw.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise DataError(
                f"{self._path} unpacks to more than {self._limit:,} bytes, which no csv of this kind needs: "
                "it was refused. Check where the file comes from."
            )
        return data


@contextmanager
def open_stream(path: Path, suffix: str = ".csv", limit_bytes: int = LIMIT_BYTES) -> Iterator[Stream]:
    """Opens a plain, .gz, .zip, .tar or .tar.gz file.

    Args:
        path: An existing file.
        suffix: How the name of the wanted member of a .zip or .tar ends; exactly one member may match.
        limit_bytes: How many uncompressed bytes may be read before the file is refused.

    Raises:
        DataError: If the file cannot be read, is damaged, or has no or several members with that suffix.
    """
    with ExitStack() as stack:
        with _explained(path):
            file = stack.enter_context(path.open("rb"))
            head = file.read(4)

            def content() -> Stream:
                file.seek(0)
                return Stream(_Gunzip(file) if head.startswith(_GZIP) else file, path, limit_bytes)

            if head.startswith(_ZIP):
                stream = Stream(_zip_member(stack, file, path, suffix), path, limit_bytes)
            elif content().read(512)[_TAR_MAGIC_AT:].startswith(_TAR):
                stream = Stream(_tar_member(stack, content, path, suffix), path, limit_bytes)
            else:
                stream = content()
        yield stream


def begins_at_once(path: Path) -> bool:
    """Tells whether the first bytes of the wanted file can be had without reading all of the archive: not of a tar.

    Raises:
        DataError: If the file cannot be read, or is damaged.
    """
    with _explained(path), path.open("rb") as file:
        is_packed = file.read(4).startswith(_GZIP)
        file.seek(0)
        return not (_Gunzip(file) if is_packed else file).read(512)[_TAR_MAGIC_AT:].startswith(_TAR)


class _Gunzip:
    """Does what `gzip.GzipFile` does, in large pieces and with ISA-L: three times as fast.

    It also seldom waits for the interpreter lock when another thread parses meanwhile.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._inflate = file, _new_inflate()

    def read(self, size: int, /) -> bytes:
        while True:
            if self._inflate.eof:  # of one member: a gzip file may hold several, and zeros behind the last
                rest = (self._inflate.unused_data or self._file.read(_FEED_BYTES)).lstrip(b"\0")
                if not rest:
                    return b""
                self._inflate = _new_inflate()
            else:
                rest = self._inflate.unconsumed_tail or self._file.read(_FEED_BYTES)
            data = self._inflate.decompress(rest, size)
            if data:
                return data
            if not rest and not self._inflate.eof:
                raise EOFError("the end of the compressed data is missing")


def _new_inflate() -> Any:
    return isal_zlib.decompressobj(wbits=31)  # 31: with a gzip header, and a checksum that is compared at the end


def _zip_member(stack: ExitStack, file: IO[bytes], path: Path, suffix: str) -> Readable:
    archive = stack.enter_context(zipfile.ZipFile(file))
    members = [member for member in archive.infolist() if not member.is_dir()]
    chosen = members[_only([member.filename for member in members], suffix, path)]
    if chosen.flag_bits & 1:
        raise DataError(f"{path}: {chosen.filename} in it is encrypted. Unpack it and give the path of the csv.")
    return stack.enter_context(archive.open(chosen))


def _tar_member(stack: ExitStack, content: Callable[[], Any], path: Path, suffix: str) -> Readable:
    # A tar has no directory: the first pass learns all names, so that ambiguity is found before any parsing.
    with tarfile.open(fileobj=content(), mode="r|") as names_only:
        names = [member.name for member in names_only if member.isfile()]
    chosen = names[_only(names, suffix, path)]
    archive = tarfile.open(fileobj=content(), mode="r|")  # noqa: SIM115 - the stack closes it
    stack.enter_context(archive)
    member = next(member for member in archive if member.isfile() and member.name == chosen)
    return archive.extractfile(member) or io.BytesIO()  # only what is no file has no content


def _only(names: list[str], suffix: str, path: Path) -> int:
    """Returns the position of the one name that ends in `suffix`, blind to what macOS adds."""
    found = [
        position
        for position, name in enumerate(names)
        if name.lower().endswith(suffix) and not name.rpartition("/")[2].startswith("._")
    ]
    if len(found) == 1:
        return found[0]
    held = [names[position] for position in found] or names
    shown = ", ".join(held[:_SHOWN]) + (f" ... ({len(held):,} in all)" if len(held) > _SHOWN else "") or "nothing"
    folder = "" if found or len(held) <= _SHOWN else " If it is a folder of images, unpack it and give the folder."
    raise DataError(
        f"{path} holds {'several' if found else 'no'} {suffix} files, expected exactly one. Found: {shown}. "
        f"Unpack the one you want and give its path.{folder}"
    )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DataError(f"{path} is truncated or damaged: {error}. Copy or download it again.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
