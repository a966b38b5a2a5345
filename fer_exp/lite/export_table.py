"""The exported files side by side: for the terminal, for a spreadsheet, and in markdown.

Called by `publication` and `model_card`. It computes nothing.
"""

from collections.abc import Sequence

import pandas as pd
from rich.table import Table
from rich.text import Text

from fer_exp.assessment.metrics import Evaluation
from fer_exp.export import Exported
from fer_exp.process import cores

_HEAD = ("file", "validation", "test", "difference, 95 %", "macro-F1", "as Keras", "worst recall")


def frame(exported: Sequence[Exported]) -> pd.DataFrame:
    """Returns one row for each file and one column for each number, under the names they are tracked by.

    Args:
        exported: At least one file.
    """
    rows = []
    for entry in exported:
        low, high = entry.test.accuracy_interval
        f1_low, f1_high = entry.test.macro_f1_interval
        intervals = {
            "accuracy_low": low,
            "accuracy_high": high,
            "macro_f1_low": f1_low,
            "macro_f1_high": f1_high,
            "worst_recall_class": entry.test_gap.recall_class,
            "withheld": entry.withheld,
        }
        rows.append({"file": entry.path.name, "kind": entry.kind, **entry.numbers(), **intervals})
    return pd.DataFrame(rows)


def cells(exported: Sequence[Exported], keras: Evaluation) -> pd.DataFrame:
    """Returns what a person reads: Keras first, then the files, as text with units.

    Args:
        exported: The files.
        keras: Keras' answers on the test split.
    """
    val = exported[0].val.accuracy + exported[0].val_gap.accuracy
    rows = [("Keras", f"{val:.4f}", f"{keras.accuracy:.4f}", "", f"{keras.macro_f1:.4f}", "", "")]
    for entry in exported:
        gap = entry.test_gap
        rows.append(
            (
                entry.path.name + (" (withheld)" if entry.withheld else ""),
                f"{entry.val.accuracy:.4f} ({_points(-entry.val_gap.accuracy)})",
                f"{entry.test.accuracy:.4f} ({_points(-gap.accuracy)})",
                f"{_points(-gap.high)} to {_points(-gap.low)}",
                f"{entry.test.macro_f1:.4f}",
                f"{100 * gap.agreement:.2f} %",
                f"{_points(-gap.recall)} {gap.recall_class}",
            )
        )
    return pd.DataFrame(rows, columns=_HEAD)


def costs(exported: Sequence[Exported]) -> pd.DataFrame:
    """Returns size, load time, memory and the time of a call, p50 / p95 for each number of threads, as text.

    Args:
        exported: At least one file.
    """
    rows = []
    for entry in exported:
        speed, memory = entry.speed, entry.speed.memory_mb
        cost = {
            "file": entry.path.name,
            "MB": f"{entry.size_mb:.2f}",
            "load, ms": f"{speed.load_ms:.1f}",
            "memory, MB": "-" if memory is None else f"{memory:.1f}",
        }
        calls = {_threads(n): f"{time.p50:.2f} / {time.p95:.2f}" for n, time in sorted(speed.latency.items())}
        rows.append(cost | calls)
    return pd.DataFrame(rows)


def notes(exported: Sequence[Exported]) -> list[str]:
    """Returns what a reader of the numbers must not miss, a sentence each.

    Args:
        exported: At least one file.
    """
    found = [f"{entry.path.name} is not published: {entry.withheld}." for entry in exported if entry.withheld]
    more = [threads for threads in exported[0].speed.latency if threads > cores()]
    if more:
        counts = " and ".join(map(str, sorted(more)))
        found.append(f"{counts} threads are more than the {cores()} cores of this machine: those times mean little.")
    return found


def terminal(table: pd.DataFrame, title: str) -> Table:
    """Returns a table of text as the terminal shows it.

    Args:
        table: Text.
        title: Above the table.
    """
    shown = Table(title=title, title_justify="left")
    for column in table.columns:
        shown.add_column(column, justify="left" if column == "file" else "right")
    for row in table.to_numpy():
        shown.add_row(*map(Text, row))  # a class may be called [red]
    return shown


def _threads(count: int) -> str:
    return "1 thread, ms" if count == 1 else f"{count} threads, ms"


def _points(share: float) -> str:
    return f"{100 * share + 0.0:+.2f}"  # not -0.00
