"""What is read of predictions: a table on the terminal, CSV and JSON files.

Called by `predicting`. It must not know how anything was predicted.
"""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from fer_exp.data import csv_cells
from fer_exp.predict.sources import Source
from fer_exp.predict.work import Outcome, Seen
from fer_exp.reporting.terminal import printable

MOST_ROWS = 40  # on the terminal


def table(outcome: Outcome, class_names: Sequence[str], top: int) -> Table:
    """Returns the first predictions: a line for each face of pictures and rows, one for each video.

    Args:
        outcome: What was seen.
        class_names: Of the model.
        top: Classes that are named for each face, the most probable first.
    """
    of_sources: dict[Source, list[Seen]] = defaultdict(list)
    for seen in outcome.seen:
        of_sources[seen.source].append(seen)
    lines = [line for source, found in of_sources.items() for line in _lines(source, found, class_names, top)]
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
    for line in lines[:MOST_ROWS]:
        shown.add_row(*(Text(printable(cell)) for cell in line))
    return shown


def _lines(source: Source, found: Sequence[Seen], class_names: Sequence[str], top: int) -> Iterator[list[str]]:
    """Yields the cells of each line of a source."""
    if source.kind == "video":
        yield _of_video(source, found, class_names, top)
        return
    for seen in found:
        for box, row in _faces(seen):
            where = "whole picture" if box is None else "{2}x{3} at {0},{1}".format(*box)
            named = [] if row is None else [cell for i in best(row, top) for cell in (class_names[i], f"{row[i]:.1%}")]
            yield [seen.name, "no face found" if row is None else where, *named]


def _of_video(source: Source, found: Sequence[Seen], class_names: Sequence[str], top: int) -> list[str]:
    """Returns one line for all frames of a video: the classes with the largest mean probability over all faces."""
    rows = [row for seen in found for row in seen.probabilities]
    where = f"{len(rows):,} in {len(found):,} frame{'s' * (len(found) != 1)}"
    mean = np.mean(rows, axis=0) if rows else None
    named = [] if mean is None else [cell for i in best(mean, top) for cell in (class_names[i], f"mean {mean[i]:.1%}")]
    return [source.name, where, *named]


def best(row: np.ndarray, top: int) -> list[int]:
    """Returns the positions of the largest values, the largest first."""
    return [int(index) for index in np.argsort(-row, kind="stable")[:top]]


def as_csv(outcome: Outcome, class_names: Sequence[str]) -> str:
    """Returns a line for each face, and one without a prediction for each input in which there is none."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    about = ["input", "row", "frame", "seconds", "face", "x", "y", "width", "height", "prediction", "probability"]
    writer.writerow([*about, *(f"p_{name}" for name in class_names)])
    names = [csv_cells.written(name) for name in class_names]
    for seen in outcome.seen:
        for number, (box, row) in enumerate(_faces(seen), 1):
            place = [csv_cells.written(seen.source.name), *_place(seen).values()]
            corner = list(box) if box else [""] * 4
            if row is None:
                writer.writerow([*place, "", *corner, "", "", *[""] * len(class_names)])
            else:
                said = [names[int(row.argmax())], f"{row.max():.6f}", *(f"{value:.6f}" for value in row)]
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
