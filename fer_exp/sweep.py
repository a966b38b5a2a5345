"""A sweep: one parent run in the tracker, with the runs of a multirun as its children.

Called by the command line around Hydra's own multirun. It must not know how a run trains.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pandas as pd

from fer_exp import config
from fer_exp.signature import log_mode
from fer_exp.tracking import Tracker

SWEPT_ENV = "FER_EXP_SWEPT"


@contextmanager
def parent(experiment: config.Experiment, swept_keys: Sequence[str], overrides: Sequence[str]) -> Iterator[None]:
    """Opens the parent run; a leaderboard is made of whatever children there are when the sweep ends, however it ends.

    Args:
        experiment: Configuration of the first job, which says where runs are tracked and what ranks them.
        swept_keys: Keys that take more than one value.
        overrides: The command line, for the record.
    """
    tracker: Tracker = config.build(experiment.tracking)
    name = experiment.name or "sweep " + " x ".join(swept_keys or ["single"])
    monitor = experiment.checkpoint.monitor
    tags = {"overrides": " ".join(overrides), "sweep": " ".join(swept_keys), "monitor": monitor}
    with tracker.parent(name, tags, lambda run_id: finish(tracker, run_id)):
        os.environ[SWEPT_ENV] = " ".join(swept_keys)
        try:
            yield
        finally:
            del os.environ[SWEPT_ENV]


def finish(tracker: Tracker, parent_id: str) -> None:
    """Makes the leaderboard of whatever children there are; done again, it replaces the one before.

    Args:
        tracker: Where the parent is kept.
        parent_id: Its run; the tags say what ranks the children and which keys were swept.

    Raises:
        TrackingError: If the server does not answer.
    """
    attempt = tracker.attempt(parent_id)
    tags = attempt.tags if attempt else {}
    if {"sweep", "monitor"} <= tags.keys():
        _finish(tracker, parent_id, tags["monitor"], tags["sweep"].split())


def leaderboard(children: pd.DataFrame, monitor: str, swept_keys: Sequence[str]) -> pd.DataFrame:
    """Ranks the children of a sweep by the monitored metric, never by the test split.

    Args:
        children: One row for each child, as from `Tracker.children`.
        monitor: Metric that ranks, for example `val/accuracy`.
        swept_keys: Keys whose values are shown.

    Returns:
        Best child first; columns rank, name, status, the swept keys, the monitored metric, the test metrics, run_id.
        Children that ended without a value stand last.
    """
    value = f"best_{monitor}"
    swept = {f"sweep.{key}": key for key in swept_keys}
    columns = ["name", "status", *swept, value, "test/accuracy", "test/accuracy_low", "test/accuracy_high"]
    table = children.reindex(columns=[*columns, "test/macro_f1", "run_id"])
    table = table.sort_values(value, ascending=log_mode(monitor) == "min", na_position="last", kind="stable")
    table.insert(0, "rank", range(1, len(table) + 1))
    return table.rename(columns=swept).reset_index(drop=True)


def _finish(tracker: Tracker, parent_id: str, monitor: str, swept_keys: Sequence[str]) -> None:
    children = tracker.children(parent_id)
    if children.empty:
        return
    table = leaderboard(children, monitor, swept_keys)
    best = table.iloc[0]
    note = [f"{len(table)} runs, ranked by {monitor} of the kept epoch.", ""]
    if pd.notna(best[f"best_{monitor}"]):
        note[0] += f" Best: [{best['name']}](#/experiments/{tracker.experiment_id}/runs/{best['run_id']})."
        of_best = {f"best_{monitor}": best[f"best_{monitor}"], "test/accuracy": best["test/accuracy"]}
        tracker.log_summary(parent_id, {"best_child": best["run_id"], "best_child_name": best["name"]}, of_best)
    shown = table[["rank", *swept_keys, "status", f"best_{monitor}", "test/accuracy", "test/macro_f1"]].astype(object)
    tracker.log_table(parent_id, table, "leaderboard", "\n".join([*note, *_markdown(shown)]))


def _markdown(table: pd.DataFrame) -> list[str]:
    cells = [[f"{value:.4f}" if isinstance(value, float) else str(value) for value in row] for row in table.to_numpy()]
    lines = [list(table.columns), ["---"] * len(table.columns), *cells]
    return ["| " + " | ".join(line) + " |" for line in lines]
