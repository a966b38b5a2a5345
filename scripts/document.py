"""Tables in markdown, each between two comments of a document, so that a script can replace its own and nothing else.

Imported by the scripts that measure.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd


def markdown(table: pd.DataFrame) -> str:
    """Returns a table in markdown."""
    lines: list[Sequence[object]] = [
        list(table.columns),
        ["---"] * table.shape[1],
        *table.astype(str).to_numpy().tolist(),
    ]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def replace_section(document: Path, section: str, content: str) -> None:
    """Replaces what lies between `<!-- section -->` and `<!-- end of section -->`.

    Raises:
        SystemExit: If the document has no such place.
    """
    text = document.read_text(encoding="utf-8") if document.is_file() else ""
    begin, end = f"<!-- {section} -->\n", f"<!-- end of {section} -->"
    if begin not in text or end not in text:
        raise SystemExit(f"{document} must hold the comments {begin.strip()} and {end}.")
    before, rest = text.split(begin, 1)
    document.write_text(f"{before}{begin}{content}\n{end}{rest.split(end, 1)[1]}", encoding="utf-8")
