"""Whether a database of runs has a run, told without MLflow: a mistyped id should not cost the seconds of its import.

Called by `store`. It reads one table that MLflow has had from the beginning; where it cannot, MLflow is asked.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

_PATIENCE_SECONDS = 1.0  # for a writer


def is_missing(file: Path, run_id: str) -> bool:
    """Tells whether there certainly is no run whose id begins so; False where only MLflow can tell.

    Args:
        file: A SQLite database, which is only read.
        run_id: Hex digits.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", _PATIENCE_SECONDS, uri=True)) as opened:
            found = opened.execute("SELECT 1 FROM runs WHERE run_uuid LIKE ? LIMIT 1", (f"{run_id}%",)).fetchone()
    except sqlite3.Error:
        return False
    return found is None
