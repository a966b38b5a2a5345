"""The table of a chain of compression stages: what each stage costs, what it knows, and how large its files are.

Called by `compress` at the end of a chain, and by `sweep.finish` when the tracker hears of that end later. It reads
everything from the tracker; it must not know how stages are run.
"""

from collections.abc import Callable, Mapping

import pandas as pd

from fer_exp.reporting.tables import markdown
from fer_exp.signature import log_key
from fer_exp.tracking import Attempt, Record, Tracker

TAG = "compression"  # of a chain's run: the name of its preset
SOURCE = "started_from"
_STAGE = "stage."


def stage_tags(runs: Mapping[str, str]) -> dict[str, str]:
    """Returns the tags of a chain's run that name its stages.

    Args:
        runs: Name of each stage and id of its run, in order.
    """
    return {f"{_STAGE}{number}": f"{name} {run_id}" for number, (name, run_id) in enumerate(runs.items(), 1)}


def runs(tracker: Tracker, tags: Mapping[str, str]) -> list[tuple[str, Record]]:
    """Returns the source and the stages that have ended, with their names, in order.

    Args:
        tracker: Where the runs are.
        tags: Of the chain's run.
    """
    stages = sorted((int(key.removeprefix(_STAGE)), value) for key, value in tags.items() if key.startswith(_STAGE))
    named = [("source", tags[SOURCE]), *(tuple(value.split(" ")) for _, value in stages)]
    found = [(name, tracker.record(run_id)) for name, run_id in named]
    return [(name, record) for name, record in found if record is not None]


def table(tracker: Tracker, tags: Mapping[str, str]) -> pd.DataFrame:
    """Returns one row for the source and one for each stage that has ended.

    Args:
        tracker: Where the runs are.
        tags: Of the chain's run.

    Returns:
        Columns stage, multiply_adds, parameters, the monitored metric of the kept epoch, test_accuracy, test_macro_f1,
        then MB, test accuracy and latency (p50 at batch 1 on one thread) of each kind of .tflite, and run_id. NaN
        stands for what a run has not measured.
    """
    rows = [_row(name, record) for name, record in runs(tracker, tags)]
    columns = list(dict.fromkeys(column for row in rows for column in row if column != "run_id"))
    return pd.DataFrame(rows)[[*columns, "run_id"]]


def finish(tracker: Tracker, chain: Attempt) -> None:
    """Records the table on the chain's run; done again, it replaces the one before.

    Args:
        tracker: Where the chain is.
        chain: Its run.
    """
    found = table(tracker, chain.tags)
    note = f"Compression of run {chain.tags[SOURCE]} by {chain.tags[TAG]}."
    tables = "\n\n".join(markdown(one) for one in shown(found))
    tracker.log_table(chain.run_id, found, "compression", f"{note}\n\n{tables}")


def shown(found: pd.DataFrame) -> list[pd.DataFrame]:
    """Returns the table as texts for people, without the ids of runs: the networks, and the files if there are any."""
    of_files = [str(column) for column in found if str(column).endswith((" MB", " accuracy", " ms"))]
    texts = {}
    for column in (str(column) for column in found if column not in (*of_files, "run_id")):
        heading = column.replace("multiply_adds", "multiply-adds").replace("macro_f1", "macro-F1").replace("_", " ")
        texts[heading] = found[column] if column == "stage" else found[column].map(_as_text(column), na_action="ignore")
    files = [
        {"stage": row["stage"], "file": f"{kind}.tflite", "MB": f"{row[f'{kind} MB']:.2f}",
         "test accuracy": f"{row[f'{kind} accuracy']:.4f}", "p50, ms": f"{row[f'{kind} ms']:.2f}"}
        for row in found.to_dict("records")
        for kind in dict.fromkeys(column.rpartition(" ")[0] for column in of_files)
        if pd.notna(row[f"{kind} MB"])
    ]  # fmt: skip
    return [pd.DataFrame(texts).fillna("-"), *([pd.DataFrame(files)] if files else [])]


def _as_text(column: str) -> Callable[[float], str]:
    if column == "multiply_adds":
        return lambda value: f"{value / 1e6:.2f} M"
    if column == "parameters":
        return lambda value: f"{value:,.0f}"
    return lambda value: f"{value:.4f}"


def _row(name: str, record: Record) -> dict[str, object]:
    metrics, tags = record.metrics, record.tags
    monitor = record.params.get("checkpoint.monitor", "val/accuracy")
    row: dict[str, object] = {
        "stage": name,
        "multiply_adds": float(tags.get("multiply_adds", "nan")),
        "parameters": float(tags.get("parameters", "nan")),
        log_key(monitor): metrics.get(f"best_{monitor}"),
        "test_accuracy": metrics.get("test/accuracy"),
        "test_macro_f1": metrics.get("test/macro_f1"),
    }
    for kind in sorted({key.split("/")[1] for key in metrics if key.startswith("tflite/")}):
        row[f"{kind} MB"] = metrics.get(f"tflite/{kind}/size_mb")
        row[f"{kind} accuracy"] = metrics.get(f"tflite/{kind}/accuracy")
        row[f"{kind} ms"] = metrics.get(f"tflite/{kind}/latency_ms_p50")
    return row | {"run_id": record.run_id}
