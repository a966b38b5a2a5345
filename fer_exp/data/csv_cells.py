"""Texts in cells of CSV files: written so that no spreadsheet takes one for a formula, and read back as they were.

Called by whoever writes or reads a table with names that come from outside: of files, classes, runs. A quote is put
before what a spreadsheet would compute, and before a quote that stands there already, so that reading is exact.

Source:
    OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection.
"""

import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import pandas as pd

Cell = TypeVar("Cell")
_COMPUTED = re.compile(r"'*[=+\-@\t\r]")
_WRITTEN = re.compile(r"'+[=+\-@\t\r]")


def written(cell: Cell) -> Cell | str:
    """Returns what is written for a cell; numbers, and texts that are no formula, as they are."""
    return f"'{cell}" if isinstance(cell, str) and _COMPUTED.match(cell) else cell


def read(cell: str) -> str:
    """Returns the text that a cell was written for."""
    return cell[1:] if _WRITTEN.match(cell) else cell


def safe(table: "pd.DataFrame") -> "pd.DataFrame":
    """Returns a table as it is written to CSV: its texts, its index and its header as `written` returns them."""
    shown = table.copy()
    for position in range(shown.shape[1]):
        column = shown.iloc[:, position]
        if column.dtype == object or str(column.dtype).startswith(("str", "category")):
            shown.isetitem(position, column.astype(object).map(written).to_numpy())
    shown.index = shown.index.map(written) if len(shown.index) else shown.index
    shown.columns = shown.columns.map(written) if len(shown.columns) else shown.columns
    shown.index.name = table.index.name
    return shown
