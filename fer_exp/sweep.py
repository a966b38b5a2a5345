"""A sweep: one parent run in the tracker, with the runs of a multirun as its children.

Called by the command line around Hydra's own multirun. It must not know how a run trains.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pandas as pd

from fer_exp import config
from fer_exp.signature import log_mode
from fer_exp.tracking import Run, Tracker

SWEPT_ENV = "FER_EXP_SWEPT"
_run: ContextVar[Run] = ContextVar("run")


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
    tags = {"overrides": " ".join(overrides), "sweep": " ".join(swept_keys)}
    with tracker.parent(name, tags) as tracked:
        os.environ[SWEPT_ENV] = " ".join(swept_keys)
        token = _run.set(tracked)
        try:
            yield
        finally:
            _run.reset(token)
            del os.environ[SWEPT_ENV]
            _finish(tracker, tracked, experiment.checkpoint.monitor, swept_keys)


def record(folder: Path, tags: Mapping[str, Any]) -> None:
    """Records files and tags on the parent run that is open.

    Args:
        folder: Uploaded under its own name.
        tags: Short texts.
    """
    _run.get().log_folder(folder)
    _run.get().set_tags(tags)


def leaderboard(children: pd.DataFrame, monitor: str, swept_keys: Sequence[str]) -> pd.DataFrame:
    """Ranks the children of a sweep by the monitored metric, never by the test split.

    Args:
        children: One row for each child, as from `Tracker.children`.
        monitor: Metric that ranks, for example `val/accuracy`.
        swept_keys: Keys whose values are shown.

    Returns:
        Best child first; columns rank, name, status, the swept keys, the monitored metric, the test metrics, run_id.
        Children that ended without a value stand last; those that a search stopped early say after which epoch.
    """
    value = f"best_{monitor}"
    if "pruned" in children:
        children = children.assign(
            status=children["status"].where(children["pruned"].isna(), "PRUNED " + children["pruned"])
        )
    swept = {f"sweep.{key}": key for key in swept_keys}
    columns = ["name", "status", *swept, value, "test/accuracy", "test/accuracy_low", "test/accuracy_high"]
    table = children.reindex(columns=[*columns, "test/macro_f1", "run_id"])
    table = table.sort_values(value, ascending=log_mode(monitor) == "min", na_position="last", kind="stable")
    table.insert(0, "rank", range(1, len(table) + 1))
    return table.rename(columns=swept).reset_index(drop=True)


def _finish(tracker: Tracker, tracked: Run, monitor: str, swept_keys: Sequence[str]) -> None:
    children = tracker.children(tracked.run_id)
    if children.empty:
        return
    table = leaderboard(children, monitor, swept_keys)
    best = table.iloc[0]
    note = [f"{len(table)} runs, ranked by {monitor} of the kept epoch.", ""]
    if pd.notna(best[f"best_{monitor}"]):
        note[0] += f" Best: [{best['name']}](#/experiments/{tracked.experiment_id}/runs/{best['run_id']})."
        tracked.set_tags({"best_child": best["run_id"], "best_child_name": best["name"]})
        tracked.log_metrics({f"best_{monitor}": best[f"best_{monitor}"], "test/accuracy": best["test/accuracy"]})
    shown = table[["rank", *swept_keys, "status", f"best_{monitor}", "test/accuracy", "test/macro_f1"]].astype(object)
    tracker.log_table(tracked.run_id, table, "leaderboard", "\n".join([*note, *_markdown(shown)]))


def _markdown(table: pd.DataFrame) -> list[str]:
    cells = [[f"{value:.4f}" if isinstance(value, float) else str(value) for value in row] for row in table.to_numpy()]
    lines = [list(table.columns), ["---"] * len(table.columns), *cells]
    return ["| " + " | ".join(line) + " |" for line in lines]
