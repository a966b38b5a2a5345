"""Reads the csv format of FER2013: one 48x48 grey face for each row, its pixels as space-separated text.

Called by the data sets that are made from such a file. Reads every published variant (`emotion,pixels,Usage`;
the reordered ` Usage, pixels`; without Usage), in memory that grows with the images, not with the text. Knows
nothing of splits.

Source: Goodfellow et al., "Challenges in Representation Learning", 2013, https://arxiv.org/abs/1307.0414.
"""

import csv
import logging
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp import process
from fer_exp.data import archive, data_cache
from fer_exp.data.emotions import EIGHT, EMOTIONS
from fer_exp.errors import DataError

IMAGE_SIZE = 48
USAGES = ("Training", "PublicTest", "PrivateTest")
NO_USAGE = len(USAGES)

# Raise this number with every change of what is parsed: it is part of the cache key.
_VERSION = "2"
_PIXELS = IMAGE_SIZE * IMAGE_SIZE
_CHUNK_BYTES = 1 << 20  # about 120 rows: the arrays of a chunk stay in the second-level cache
_MAX_LINE_BYTES = 1 << 18
_LABELS = {str(code).encode(): code for code in range(len(EIGHT))}
_USAGE_CODES = {usage.encode(): code for code, usage in enumerate(USAGES)}
_REPORTED_LINES = 5
_EMPTY = "{} is empty: expected a csv with the columns emotion, pixels and Usage."
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PixelTable:
    """The good rows of a file, in its order.

    Attributes:
        images: uint8 (n, 48, 48, 1), 0-255.
        labels: uint8 (n,), a position in `EIGHT`.
        usages: uint8 (n,), a position in `USAGES`, or `NO_USAGE` if the file has no such column.
        rows: int64 (n,), position of each row in the file, from 0, skipped rows counted: what a second file
            with one line for each row is joined by.
        skipped_lines: int64 (k,), line numbers of the rows that were skipped, from 1, the header counted.
        skipped_rules: str (k,), the rule that each of them breaks, and what was found.
    """

    images: np.ndarray
    labels: np.ndarray
    usages: np.ndarray
    rows: np.ndarray
    skipped_lines: np.ndarray
    skipped_rules: np.ndarray


@dataclass(frozen=True)
class _Columns:
    count: int
    emotion: int | None
    pixels: int
    usage: int | None
    classes: int


@dataclass(frozen=True)
class _Row:
    line: int
    position: int
    label: int
    usage: int
    text: bytes


class _BadRowError(Exception):
    """A row breaks a rule; the message says which and what was found."""


def load(
    path: Path, on_bad_row: Literal["error", "skip"], cache_dir: str, classes: int = len(EMOTIONS)
) -> tuple[PixelTable, dict[str, Any]]:
    """Reads a file, or its cached arrays.

    Args:
        path: A csv; plain or packed as .gz, .zip or .tar.gz.
        on_bad_row: Whether a malformed row is an error, or left out and counted.
        cache_dir: Folder of the parsed arrays, keyed by the SHA-256 of the file's bytes; `~` expands.
        classes: How many codes there are: 7 in FER2013, 8 with contempt.

    Returns:
        The rows, and what is worth recording about how they were read.

    Raises:
        DataError: If the file cannot be read, has no rows, or has a malformed row that `on_bad_row` forbids.
    """

    def build() -> dict[str, np.ndarray]:
        with archive.open_stream(path) as stream:
            return vars(parse(stream, path, on_bad_row, classes=classes))

    try:
        file_sha256 = data_cache.sha256_of_file(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    more = [] if classes == len(EMOTIONS) else [str(classes)]
    key = data_cache.make_key("pixel_csv", [_VERSION, file_sha256, on_bad_row, *more])
    arrays, problem = data_cache.load_or_build(cache_dir, key, build)
    table = PixelTable(**arrays)
    notes: dict[str, Any] = {} if problem is None else {"cache": problem}
    if len(table.skipped_lines):
        lines = table.skipped_lines[:_REPORTED_LINES].tolist()
        notes |= {"skipped_rows": len(table.skipped_lines), "first_skipped_lines": lines}
        left_out = zip(table.skipped_lines.tolist(), table.skipped_rules.tolist(), strict=True)
        listed = data_cache.keep_list(cache_dir, "rejected_rows", [(f"line {n}", rule) for n, rule in left_out])
        notes |= {} if listed is None else {"rejected_rows": listed}
        _log.warning("%s: %d malformed rows skipped; the first at line %s", path, len(table.skipped_lines), lines)
    return table, notes


def glance(path: Path, classes: int = len(EMOTIONS)) -> None:
    """Looks at the first line only, unless all of an archive must be read for that.

    Args:
        path: As of `load`.
        classes: As of `load`.

    Raises:
        DataError: If the file cannot be read, is empty, or names other columns; as `load` would say after it.
    """
    if not archive.begins_at_once(path):
        return
    with archive.open_stream(path) as stream, closing(_line_blocks(stream, path)) as blocks:
        lines = next(blocks, None)
    if lines is None:
        raise DataError(_EMPTY.format(path))
    _read_header(lines[0], path, labelled=True, classes=classes)


def parse(
    stream: archive.Readable,
    path: Path,
    on_bad_row: Literal["error", "skip"],
    labelled: bool = True,
    classes: int = len(EMOTIONS),
) -> PixelTable:
    """Parses the bytes of a csv; arguments and errors as for `load`, `path` only for the messages.

    With `labelled=False` the column pixels alone is looked at, and every label is 0.
    """
    images: list[np.ndarray] = []
    rows: list[tuple[int, int, int]] = []  # label, usage, position
    bad: list[tuple[int, str]] = []
    columns, line, position = None, 1, 0
    workers = process.cores()
    pending: deque[tuple[list[tuple[int, str]], Future]] = deque()

    def take_oldest() -> None:
        problems, parsed = pending.popleft()
        faces, good, more_problems = parsed.result()
        problems += more_problems
        if problems and on_bad_row == "error":
            number, rule = min(problems)
            raise DataError(f"{path}, line {number}: {rule}. Mend it, or leave such rows out: dataset.on_bad_row=skip")
        images.append(faces)
        rows.extend((row.label, row.usage, row.position) for row in good)
        bad.extend(sorted(problems))

    with closing(_line_blocks(stream, path)) as blocks, ThreadPoolExecutor(workers) as pool:
        for lines in blocks:
            if columns is None:
                columns, lines, line = _read_header(lines[0], path, labelled, classes), lines[1:], 2
            found, problems = _read_rows(lines, line, position, columns)
            pending.append((problems, pool.submit(_read_faces, found)))  # NumPy lets other threads run meanwhile
            if len(pending) > 2 * workers:
                take_oldest()
            line += len(lines)
            position += len(found) + len(problems)
        while pending:
            take_oldest()
    if columns is None:
        raise DataError(_EMPTY.format(path))
    if not rows:
        first = f"all {len(bad)} are malformed, the first is line {bad[0][0]}: {bad[0][1]}" if bad else "only a header"
        raise DataError(f"{path} holds no usable rows: {first}.")
    labels, usages, positions = np.array(rows, np.int64).T
    return PixelTable(
        images=np.concatenate(images).reshape(-1, IMAGE_SIZE, IMAGE_SIZE, 1),
        labels=labels.astype(np.uint8),
        usages=usages.astype(np.uint8),
        rows=positions.copy(),
        skipped_lines=np.array([number for number, _ in bad], np.int64),
        skipped_rules=np.array([rule for _, rule in bad], np.str_),
    )


def _line_blocks(stream: archive.Readable, path: Path) -> Generator[list[bytes], None, None]:
    """Yields the lines of a chunk at a time; the next chunk is unpacked while the caller parses this one."""
    rest = b""
    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead = reader.submit(stream.read, _CHUNK_BYTES)
        while chunk := ahead.result():
            ahead = reader.submit(stream.read, _CHUNK_BYTES)
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _MAX_LINE_BYTES:
                raise DataError(
                    f"{path} is not a csv of FER2013: it has a line of more than {_MAX_LINE_BYTES:,} bytes."
                )
            if lines:
                yield lines
    if rest:
        yield [rest]


def _read_header(line: bytes, path: Path, labelled: bool, classes: int) -> _Columns:
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise DataError(f"{path} is not a text file: expected a csv, plain or packed as .gz, .zip or .tar.gz.")
    names = [name.strip().strip('"').strip().lower() for name in text.split(",")]
    if not labelled and "pixels" in names:
        return _Columns(len(names), None, names.index("pixels"), None, classes)
    missing = [name for name in ("emotion", "pixels") if name not in names]
    if missing:
        raise DataError(
            f"{path} has no column {' and no column '.join(missing)}: the first line must name the columns "
            f"emotion, pixels and (optional) Usage. Received: {text.strip()[:80]!r}."
        )
    usage = names.index("usage") if "usage" in names else None
    return _Columns(len(names), names.index("emotion"), names.index("pixels"), usage, classes)


def _read_rows(
    lines: list[bytes], first_line: int, first_position: int, columns: _Columns
) -> tuple[list[_Row], list[tuple[int, str]]]:
    """Returns the rows whose fields are sound, and (line number, broken rule) of the others."""
    rows: list[_Row] = []
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(lines, first_line):
        if not line.strip():
            continue
        try:
            rows.append(_Row(number, first_position + len(rows) + len(bad), *_read_fields(line, columns)))
        except _BadRowError as error:
            bad.append((number, str(error)))
    return rows, bad


def _read_faces(rows: list[_Row]) -> tuple[np.ndarray, list[_Row], list[tuple[int, str]]]:
    """Returns pixels uint8 (n, 2304), the n good rows, and (line number, broken rule) of the bad ones."""
    pixels = _read_pixels([row.text for row in rows])
    if pixels is not None:
        return pixels, rows, []
    good: list[_Row] = []
    faces: list[np.ndarray] = []
    bad: list[tuple[int, str]] = []
    for row in rows:
        try:
            faces.append(_read_pixels_of_row(row.text))
            good.append(row)
        except _BadRowError as error:
            bad.append((row.line, str(error)))
    return np.array(faces, np.uint8).reshape(-1, _PIXELS), good, bad


def _read_fields(line: bytes, columns: _Columns) -> tuple[int, int, bytes]:
    """Returns label, usage code and the text of the pixels."""
    fields = line.split(b",") if b'"' not in line else _read_quoted(line)
    if len(fields) != columns.count:
        raise _BadRowError(f"expected {columns.count} comma-separated fields as in the header, found {len(fields)}")
    pixels = fields[columns.pixels].strip()
    if columns.emotion is None:
        return 0, NO_USAGE, pixels
    code = fields[columns.emotion].strip()
    if _LABELS.get(code, columns.classes) >= columns.classes:
        more = " (contempt in ckextended.csv, which dataset=fer2013 dataset.classes=8 reads)" if code in _LABELS else ""
        raise _BadRowError(
            f"emotion must be a whole number from 0 to {columns.classes - 1}, found {_shown(code)}{more}"
        )
    if columns.usage is None:
        return _LABELS[code], NO_USAGE, pixels
    usage = fields[columns.usage].strip()
    if usage not in _USAGE_CODES:
        raise _BadRowError(f"Usage must be one of {', '.join(USAGES)}, found {_shown(usage)}")
    return _LABELS[code], _USAGE_CODES[usage], pixels


def _read_quoted(line: bytes) -> list[bytes]:
    try:
        (fields,) = csv.reader([line.decode("utf-8", "replace").strip()], strict=True)
    except csv.Error as error:
        raise _BadRowError(f"expected closed quotes ({error})") from error
    return [field.encode() for field in fields]


def _read_pixels(texts: list[bytes]) -> np.ndarray | None:
    """Parses the pixels of many rows at once, three times as fast as `np.fromstring(sep=" ")`.

    Returns:
        uint8 (n, 2304), or None if any row is not 2304 numbers, 0-255, of 1-3 digits, with single spaces.
    """
    if not texts:
        return np.empty((0, _PIXELS), np.uint8)
    padding = 3  # so that the hundreds of the very first number can be looked for
    text = np.frombuffer(b" " * padding + b" ".join(texts) + b" ", np.uint8)
    digits = text - np.uint8(ord("0"))  # whatever is no digit wraps to 10 or more
    ends = np.flatnonzero(digits[padding:] > 9)  # where each number ends, counted from the first
    row_ends = np.cumsum([len(row) + 1 for row in texts]) - 1
    if len(ends) != _PIXELS * len(texts) or not np.array_equal(ends[_PIXELS - 1 :: _PIXELS], row_ends):
        return None
    hundreds, tens, ones = digits[ends], digits[1:][ends], digits[2:][ends]
    has_tens = tens < 10
    has_hundreds = has_tens & (hundreds < 10)
    tens = tens * has_tens * np.uint8(10) + ones  # at most 99
    hundreds *= has_hundreds
    digits_used = len(ones) + np.count_nonzero(has_tens) + np.count_nonzero(has_hundreds)
    if (
        np.count_nonzero(text == ord(" ")) != len(ends) + padding  # something is neither digit nor space
        or ones.max() > 9  # nothing between two spaces
        or digits_used + len(ends) + padding != len(text)  # a number of more than three digits
        or ((hundreds > 2) | ((hundreds == 2) & (tens > 55))).any()
    ):
        return None
    return (hundreds * np.uint8(100) + tens).reshape(-1, _PIXELS)


def _read_pixels_of_row(text: bytes) -> np.ndarray:
    """Parses one row with plain Python: slow, tolerant of repeated spaces, and able to name what is wrong."""
    tokens = text.split()
    if len(tokens) != _PIXELS:
        raise _BadRowError(f"expected {_PIXELS} pixels ({IMAGE_SIZE}x{IMAGE_SIZE}), found {len(tokens)}")
    for number, token in enumerate(tokens, 1):
        # The length first: Python refuses to convert numbers of thousands of digits.
        if not token.isdigit() or len(token.lstrip(b"0")) > 3 or int(token) > 255:
            raise _BadRowError(f"pixel {number} must be a whole number from 0 to 255, found {_shown(token)}")
    return np.array([int(token) for token in tokens], np.uint8)


def _shown(field: bytes) -> str:
    return repr(field[:20].decode("utf-8", "replace"))
