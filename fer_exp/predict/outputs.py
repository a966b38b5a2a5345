"""What is read of predictions: a table on the terminal, CSV and JSON files.

Called by `__main__`. It must not know how anything was predicted.
"""

import csv
import io
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from fer_exp.errors import StorageError
from fer_exp.predict.work import Outcome, Seen
from fer_exp.store import printable

MOST_ROWS = 40  # on the terminal


def table(outcome: Outcome, class_names: Sequence[str], top: int) -> Table:
    """Returns the first predictions, a line for each face.

    Args:
        outcome: What was seen.
        class_names: Of the model.
        top: Classes that are named for each face, the most probable first.
    """
    lines = [(seen, box, row) for seen in outcome.seen for box, row in _faces(seen)]
    left = len(lines) - MOST_ROWS
    shown = Table(
        title="predictions", title_justify="left", caption_justify="left",
        caption=f"and {left:,} more: --csv and --json hold all" if left > 0 else None,
    )  # fmt: skip
    shown.add_column("input", overflow="fold")
    shown.add_column("face")
    for rank in range(1, min(top, len(class_names)) + 1):
        shown.add_column("prediction" if rank == 1 else f"{rank}.")
        shown.add_column("probability" if rank == 1 else "", justify="right")
    for seen, box, row in lines[:MOST_ROWS]:
        where = (
            "no face found" if row is None else "whole picture" if box is None else "{2}x{3} at {0},{1}".format(*box)
        )
        cells = [] if row is None else [cell for i in best(row, top) for cell in (class_names[i], f"{row[i]:.1%}")]
        shown.add_row(*(Text(printable(cell)) for cell in (seen.name, where, *cells)))
    return shown


def best(row: np.ndarray, top: int) -> list[int]:
    """Returns the positions of the largest values, the largest first."""
    return [int(index) for index in np.argsort(-row, kind="stable")[:top]]


def as_csv(outcome: Outcome, class_names: Sequence[str]) -> str:
    """Returns a line for each face, and one without a prediction for each input in which there is none."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    about = ["input", "row", "frame", "seconds", "face", "x", "y", "width", "height", "prediction", "probability"]
    writer.writerow([*about, *(f"p_{name}" for name in class_names)])
    for seen in outcome.seen:
        for number, (box, row) in enumerate(_faces(seen), 1):
            place = [seen.source.name, *_place(seen).values()]
            corner = list(box) if box else [""] * 4
            if row is None:
                writer.writerow([*place, "", *corner, "", "", *[""] * len(class_names)])
            else:
                said = [class_names[int(row.argmax())], f"{row.max():.6f}", *(f"{value:.6f}" for value in row)]
                writer.writerow([*place, number, *corner, *said])
    return text.getvalue()


def as_json(outcome: Outcome, class_names: Sequence[str], top: int, **about: Any) -> str:
    """Returns everything, also what could not be read.

    Args:
        outcome: What was seen.
        class_names: Of the model.
        top: Classes that are named for each face, the most probable first.
        **about: What else is to be said, before all that.
    """
    predictions = []
    for seen in outcome.seen:
        place = {key: value for key, value in _place(seen).items() if value != ""}
        found = [
            {
                "box": dict(box._asdict()) if box else None,
                "prediction": class_names[int(row.argmax())],
                "probability": round(float(row.max()), 6),
                "top": [{"class": class_names[i], "probability": round(float(row[i]), 6)} for i in best(row, top)],
            }
            for box, row in _faces(seen)
            if row is not None
        ]
        predictions.append({"input": seen.source.name, **place, "faces": found})
    failed = [{"input": failure.name, "error": failure.reason} for failure in outcome.failures]
    whole = {**about, "classes": list(class_names), "predictions": predictions, "failed": failed}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def write(path: Path, text: str) -> None:
    """Writes a file whole or not at all.

    Raises:
        StorageError: If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        try:
            temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from error


def _faces(seen: Seen) -> Iterator[tuple[Any, np.ndarray | None]]:
    """Yields box and probabilities of each face, or nothing twice if there is none."""
    if not seen.boxes:
        yield None, None
    yield from zip(seen.boxes, seen.probabilities, strict=True)


def _place(seen: Seen) -> dict[str, Any]:
    """Returns row, frame and seconds, those that do not apply empty."""
    kind, seconds = seen.source.kind, seen.seconds
    return {
        "row": seen.index if kind == "table" else "",
        "frame": seen.index if kind == "video" else "",
        "seconds": "" if seconds is None else round(seconds, 3),
    }
