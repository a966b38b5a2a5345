"""AffectNet as first given out: two tables, which name an image, the box of the face in it, and its expression.

Called by the option `affectnet`. `training.csv` has a line of column names, the official `validation.csv` has none.
It must not know what the expressions mean.

Source: Mollahosseini, Hasani and Mahoor, "AffectNet", 2017, https://arxiv.org/abs/1708.03985.
"""

import csv
import functools
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp.data import data_cache
from fer_exp.data.folders import listing
from fer_exp.data.folders.watching import watched
from fer_exp.data.image_folders.affectnet import Annotations
from fer_exp.data.label_codes import AFFECTNET as CODES
from fer_exp.errors import DataError

TABLES = ("validation.csv", "training.csv")  # a row that both hold is one of validation
IMAGES = "Manually_Annotated_Images"
_COLUMNS = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks"),
    *("expression", "valence", "arousal"),
)
_PATH, _BOX, _EXPRESSION = _COLUMNS[0], list(_COLUMNS[1:5]), _COLUMNS[6]
_VERSION = "2"  # raise it with every change of how a table is read: it is part of the cache key
_ROWS = 100_000  # held as text at a time
_PATH_CHARACTERS, _PIXELS = 255, 100_000  # more is no path and no position
_HEADER_BYTES = 4096


def read(tables: Path, images: Path, root: Path, on_bad_row: Literal["error", "skip"], cache_dir: str) -> Annotations:
    """Reads both tables; the second time from the cache.

    Args:
        tables: Folder of `training.csv` and `validation.csv`.
        images: Folder that the paths in them count from.
        root: Folder of the data set.
        on_bad_row: `error` stops at the first malformed row, `skip` leaves such rows out.
        cache_dir: Folder of the cache.

    Raises:
        DataError: If a table is missing or malformed, or names a path out of the folder.
    """
    notes: dict[str, Any] = {"layout": "csv"}
    columns: dict[str, list[np.ndarray]] = {"paths": [], "codes": [], "boxes": [], "official_val": []}
    rejected: list[tuple[str, str]] = []
    for file in (tables / name for name in TABLES):
        if not file.is_file():
            raise DataError(f"{file} is not there. AffectNet has {' and '.join(TABLES)} beside each other.")
        stat = file.stat()
        key = data_cache.make_key(
            "affectnet", [_VERSION, str(file), str(stat.st_size), str(stat.st_mtime_ns), on_bad_row]
        )
        table, problem = data_cache.load_or_build(cache_dir, key, functools.partial(_table, file, on_bad_row))
        notes |= {} if problem is None else {"cache": problem}
        rejected += [(f"{file.name}, line {line}", "malformed row") for line in table["malformed_lines"].tolist()]
        table["official_val"] = np.full(len(table["codes"]), file.name == TABLES[0])
        for column, parts in columns.items():
            parts.append(table[column])
    whole = {column: np.concatenate(arrays) for column, arrays in columns.items()}
    _, first = np.unique(whole["paths"], return_index=True)
    first.sort()
    repeated = len(whole["paths"]) - len(first)
    notes |= {name: count for name, count in (("malformed_rows", len(rejected)), ("repeated_rows", repeated)) if count}
    chosen = {column: array[first] for column, array in whole.items()}
    return Annotations(images, **chosen, notes=notes, rejected=rejected)


def _table(file: Path, on_bad_row: Literal["error", "skip"]) -> dict[str, np.ndarray]:
    """Returns `paths`, `codes` and `boxes` of the rows, and the `malformed_lines`."""
    import pandas as pd

    names, skipped_lines = _header(file)
    parts: list[dict[str, np.ndarray]] = []
    try:
        # No quoting and no skipped lines: so the number of a row is that of its line.
        chunks = pd.read_csv(
            file,
            names=names,
            header=None,
            skiprows=skipped_lines,
            usecols=[_PATH, *_BOX, _EXPRESSION],
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            quoting=csv.QUOTE_NONE,
            encoding_errors="replace",
            chunksize=_ROWS,
        )
        with chunks:
            for chunk in watched(chunks, f"rows of {file.name} read", each=_ROWS):
                parts.append(_part(chunk.fillna(""), file, skipped_lines + 1, on_bad_row))
    except (OSError, ValueError) as error:  # pandas' ParserError and EmptyDataError are ValueErrors
        raise DataError(f"{file} cannot be read as a table: {error}") from error
    table = {column: np.concatenate([part[column] for part in parts]) for column in parts[0]} if parts else {}
    if not table or not len(table["codes"]):
        raise DataError(f"{file} holds no usable rows.")
    return table


def _header(file: Path) -> tuple[list[str], int]:
    """Returns the names of the columns, and how many lines they take."""
    with file.open("rb") as opened:
        line = opened.readline(_HEADER_BYTES).decode("utf-8-sig", "replace").strip()
    names = line.split(",")
    if _PATH not in names:
        return list(_COLUMNS), 0
    absent = [column for column in (*_BOX, _EXPRESSION) if column not in names]
    if absent:
        raise DataError(f"{file} must have the columns {', '.join(_COLUMNS)}. It lacks {', '.join(absent)}.")
    return names, 1


def _part(chunk: Any, file: Path, first_line: int, on_bad_row: Literal["error", "skip"]) -> dict[str, np.ndarray]:
    import pandas as pd

    paths = chunk[_PATH].str.strip()
    numbers = chunk[[*_BOX, _EXPRESSION]].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    boxes, codes = numbers[:, :4], numbers[:, 4]
    outward = paths.str.contains(listing.OUTWARD).to_numpy(bool)
    if outward.any():
        row = int(outward.argmax())
        raise DataError(
            f"{file}, line {chunk.index[row] + first_line}: the path must stay below {IMAGES}. Received: "
            f"{paths.iloc[row]}."
        )
    known = np.isin(codes, np.arange(len(CODES)))
    placed = (np.abs(boxes) < _PIXELS).all(axis=1) & (boxes[:, 2:] >= 1).all(axis=1)  # false for NaN
    faceless = known & (codes >= CODES.index("none"))  # rows that are dropped need no face
    good = known & (placed | faceless) & paths.str.len().between(1, _PATH_CHARACTERS).to_numpy(bool)
    if not good.all() and on_bad_row == "error":
        row = int((~good).argmax())
        line = chunk.index[row] + first_line
        shown = ",".join(str(value)[:80] for value in chunk.iloc[row])
        raise DataError(
            f"{file}, line {line} is malformed. Expected a path, x, y, width and height of the face in pixels, and an "
            f"expression from 0 to {len(CODES) - 1}. Received: {shown}. Correct it, or leave such rows out: "
            "dataset.on_bad_image=skip"
        )
    return {
        "paths": np.array([path.encode() for path in paths[good]], np.bytes_),
        "codes": codes[good].astype(np.uint8),
        "boxes": np.where(placed[:, None], boxes, 0)[good].astype(np.int32),
        "malformed_lines": chunk.index.to_numpy(np.int64)[~good] + first_line,
    }
