"""The exported files of a whole sweep, side by side: a table, and the picture of accuracy against cost.

Called by `leaderboard`, with what the tracker knows of the children. It must not know how files
are made.
"""

from typing import Any

import pandas as pd

from fer_exp.data import csv_cells
from fer_exp.lite import export_figure
from fer_exp.process import temporary
from fer_exp.reporting import figure_style
from fer_exp.tracking import Tracker

FOLDER = "exports"
_PREFIX, _SWEPT = "tflite/", "sweep."
_NEEDED = ["val_accuracy", "size_mb", "latency_ms_p50", "published"]


def files(children: pd.DataFrame) -> pd.DataFrame:
    """Returns one row for each file of each finished child, the most accurate on the validation split first.

    Args:
        children: As from `Tracker.children`.

    Returns:
        Columns `run_id`, `name`, `kind` and the numbers of `Exported.numbers`; no rows if nothing was exported.
    """
    rows = []
    kinds = dict.fromkeys(column.split("/")[1] for column in children.columns if column.startswith(_PREFIX))
    for _, child in children[children["status"] == "FINISHED"].iterrows():
        for kind in kinds:
            start = f"{_PREFIX}{kind}/"
            numbers = {
                column.removeprefix(start): child[column]
                for column in children.columns
                if column.startswith(start) and pd.notna(child[column])
            }
            if set(_NEEDED) <= numbers.keys():  # a run of an earlier version measured less
                rows.append({"run_id": child["run_id"], "name": _name(child), "kind": kind, **numbers})
    found = pd.DataFrame(rows, columns=None if rows else ["run_id", "name", "kind", *_NEEDED])
    return found.sort_values("val_accuracy", ascending=False, kind="stable", ignore_index=True)


def record(tracker: Tracker, parent_id: str, children: pd.DataFrame) -> None:
    """Records table and picture on the parent of a sweep; nothing if its children exported nothing.

    Args:
        tracker: Where the parent is kept.
        parent_id: Its run.
        children: As from `Tracker.children`.
    """
    found = files(children)
    if found.empty:
        return
    with temporary.folder("exports") as folder:
        csv_cells.safe(found).to_csv(folder / "exports.csv", index=False)
        picture = export_figure.trade_offs(found, "Exported files of the sweep: accuracy against cost")
        figure_style.save(picture, folder / "exports.png")
        tracker.add_folder(parent_id, folder, FOLDER)


def _name(child: "pd.Series[Any]") -> str:
    """Returns what tells a child from the others: the swept values, or its name if a search chose them."""
    swept = [f"{key.removeprefix(_SWEPT)}={child[key]}" for key in child.index if key.startswith(_SWEPT)]
    return " ".join(swept) or str(child["name"])
