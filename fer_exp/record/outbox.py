"""What a run has to tell the tracking server, kept on disk until the server has it.

    <folder of the run>/outbox/records.jsonl   a header, then one record for each line, in the order they were made
    <folder of the run>/outbox/delivered       the numbers of the records that the server has

Called by `tracking` and `sender`, which keep and deliver; `resume`, `sync` and `doctor` look for what is left. Both
files only grow, a line at a time, so a kill at any moment costs at most the line that was being written; a record whose
delivery was not noted is delivered again, which has to be harmless. Lines are handed to the system, not forced to the
disk: they outlive the process, but the last seconds may not outlive a power cut. It must not know MLflow.
"""

import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

from fer_exp.errors import StorageError
from fer_exp.record import layout

NOTHING = "nothing"  # kind of a record that says nothing: put by hand where a damaged line was
_RECORDS, _DELIVERED = "records.jsonl", "delivered"

Record = Mapping[str, Any]  # `kind`, and what that kind needs; all that JSON can hold
Numbered = tuple[int, Record]  # a record and its line


class AwayError(Exception):
    """The server does not answer, for a reason of its own: the same delivery may succeed later.

    Attributes:
        answered: It is there and has said that it failed, which may be due to what it was told.
    """

    def __init__(self, reason: str, answered: bool = False) -> None:
        super().__init__(reason)
        self.answered = answered


class RefusedError(Exception):
    """The server, or what is to be delivered, is such that the same delivery will fail again."""


@dataclass(frozen=True)
class Header:
    """Whose records they are.

    Attributes:
        uri: Tracking URI, its password put aside.
        experiment: Name of the experiment.
        experiment_id: Its id.
        run_id: The run.
        run_name: Its name, for people.
        parent: Run of the sweep it belongs to; empty if there is none.
    """

    uri: str
    experiment: str
    experiment_id: str
    run_id: str
    run_name: str
    parent: str


@dataclass(frozen=True)
class Kept:
    """What an outbox still holds.

    Attributes:
        header: Whose records they are.
        records: Those that were not delivered, in order.
    """

    header: Header
    records: list[Numbered]


class Outbox:
    """The outbox of an open run; made, or gone on with, in its folder.

    Args:
        folder: Of the run.
        header: Whose records they will be.

    Attributes:
        earlier: Records that were in it before and were not delivered: a server had refused them.

    Raises:
        StorageError: If it cannot be written.
    """

    def __init__(self, folder: Path, header: Header) -> None:
        self.folder = folder
        records, delivered = folder / layout.OUTBOX / _RECORDS, folder / layout.OUTBOX / _DELIVERED
        with _explained(records):
            records.parent.mkdir(parents=True, exist_ok=True)
            if not exists(folder):
                delivered.unlink(missing_ok=True)  # of an outbox whose removal was cut off
            self._count = _cut_torn_line(records)
            self.earlier = max(self._count - 1 - _cut_torn_line(delivered), 0)
            self._records: BinaryIO = records.open("ab", buffering=0)
            self._delivered: BinaryIO = delivered.open("ab", buffering=0)
        if self._count == 0:
            self._append(self._records, asdict(header))
            self._count = 1

    def append(self, record: Record) -> int:
        """Keeps a record.

        Returns:
            Its number, for `mark`.

        Raises:
            StorageError: If the disk is full or cannot be written; what was kept before is whole.
        """
        self._append(self._records, record)
        self._count += 1
        return self._count

    def mark(self, numbers: Iterable[int]) -> None:
        """Notes that records were delivered.

        Raises:
            StorageError: If that cannot be written: they will be delivered again.
        """
        for number in numbers:
            self._append(self._delivered, number)

    def close(self) -> None:
        """Leaves it on disk."""
        self._records.close()
        self._delivered.close()

    def remove(self) -> None:
        """Removes it, when everything was delivered."""
        self.close()
        (self.folder / layout.OUTBOX / _RECORDS).unlink()  # first: the rest means nothing without it
        shutil.rmtree(self.folder / layout.OUTBOX)

    def _append(self, file: BinaryIO, value: Any) -> None:
        line = json.dumps(value).encode() + b"\n"
        with _explained(Path(file.name)):
            size = os.fstat(file.fileno()).st_size
            try:
                written = file.write(line)
                if written != len(line):
                    raise OSError(f"only {written} of {len(line)} bytes were written")
            except OSError:
                os.ftruncate(file.fileno(), size)  # half a line would spoil the next one
                raise


def exists(folder: Path) -> bool:
    """Tells whether a folder holds an outbox."""
    return (folder / layout.OUTBOX / _RECORDS).is_file()


def find(roots: Iterable[Path]) -> list[Path]:
    """Returns the folders of runs, in and below others, that hold an outbox."""
    found = {path.parent.parent for root in roots for path in root.glob(f"**/{layout.OUTBOX}/{_RECORDS}")}
    return sorted(found)


def read(folder: Path) -> Kept | None:
    """Reads what was not delivered; None if there is nothing whole in it.

    A last line without an end was torn by a kill before anybody could count on it, and is left out.

    Args:
        folder: Of the run.

    Raises:
        StorageError: If a line is no record, or a number no number.
    """
    path = folder / layout.OUTBOX / _RECORDS
    with _explained(path, "read"):
        lines = _lines(path)
        numbers = _lines(path.with_name(_DELIVERED)) if path.with_name(_DELIVERED).is_file() else []
    if not lines:
        return None
    delivered = {_parsed(path.with_name(_DELIVERED), row, line, int) for row, line in enumerate(numbers, 1)}
    values = [_parsed(path, row, line, dict) for row, line in enumerate(lines, 1)]
    if not _is_header(values[0]):
        raise StorageError(_damage(path, 1))
    for row, value in enumerate(values[1:], 2):
        if not isinstance(value.get("kind"), str):
            raise StorageError(_damage(path, row))
    records = [(row, value) for row, value in enumerate(values[1:], 2) if row not in delivered]
    return Kept(Header(**values[0]), records)


def batches(records: Collection[Numbered], most: int) -> Iterator[list[Numbered]]:
    """Divides records into what one call can deliver: metrics that follow on each other, everything else singly.

    Args:
        records: In order.
        most: Records of metrics at once.
    """
    batch: list[Numbered] = []
    for numbered in records:
        if batch and (len(batch) == most or not numbered[1]["kind"] == batch[0][1]["kind"] == "metrics"):
            yield batch
            batch = []
        batch.append(numbered)
    if batch:
        yield batch


def inside(folder: Path, path: str) -> Path:
    """Returns a file or folder that a record names, which must lie in the folder of the run with all it holds.

    Args:
        folder: Of the run.
        path: As recorded, relative to it.

    Raises:
        RefusedError: If it is not there, or leads out of the folder.
    """
    root, target = folder.resolve(), (folder / path).resolve()
    if not target.exists():
        raise RefusedError(f"{folder / path} is not there")
    for entry in [target, *target.rglob("*")]:
        if not entry.resolve().is_relative_to(root):
            raise RefusedError(f"{path} leads out of {folder}: {entry}")
    return target


def _lines(path: Path) -> Sequence[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def _cut_torn_line(path: Path) -> int:
    """Removes what follows the last end of a line, and counts the lines."""
    if not path.is_file():
        return 0
    raw = path.read_bytes()
    os.truncate(path, raw.rfind(b"\n") + 1)
    return raw.count(b"\n")


def _parsed(path: Path, row: int, line: bytes, wanted: type) -> Any:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise StorageError(_damage(path, row)) from error
    if not isinstance(value, wanted):
        raise StorageError(_damage(path, row))
    return value


def _is_header(value: Mapping[str, Any]) -> bool:
    names = {field.name for field in fields(Header)}
    return value.keys() == names and all(isinstance(entry, str) for entry in value.values())


def _damage(path: Path, row: int) -> str:
    return (
        f"The outbox must hold one record in each line: line {row} of {path} is damaged. Mend it, or put "
        f'{{"kind": "{NOTHING}"}} in its place to do without it.'
    )


@contextmanager
def _explained(path: Path, what: str = "written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"What the run records cannot be kept: {path} cannot be {what} ({error.strerror or error}). "
            "Make room or give access; what was kept before is whole."
        ) from error
