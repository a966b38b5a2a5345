"""What a sweep ends with: its runs ranked by validation, as a table, a text and numbers of the parent run.

Called by `sweep.finish`. It must not know how jobs are run.
"""

from collections.abc import Sequence

import pandas as pd
from rich.table import Table
from rich.text import Text

from fer_exp.reporting.tables import markdown
from fer_exp.reporting.terminal import printable
from fer_exp.run import sweep_exports
from fer_exp.signature import SHORT_ID, log_mode
from fer_exp.tracking import Attempt, Tracker

FAILED = "failed_jobs"  # tag of the parent: a line for each job that failed
_MOST_SHOWN = 10  # runs on a terminal


def record(tracker: Tracker, parent: Attempt) -> str:
    """Makes the leaderboard of whatever children there are; done again, it replaces itself.

    Args:
        tracker: Where the sweep is.
        parent: Its run; the tags say what ranks the children, which keys were swept, and which jobs failed.

    Returns:
        Id of the best finished child; empty if there is none.
    """
    monitor, swept_keys = parent.tags["monitor"], parent.tags["sweep"].split()
    children = tracker.children(parent.run_id)
    failed = [f"- {line}" for line in parent.tags.get(FAILED, "").splitlines()]
    note = ["Failed:", "", *failed, ""] if failed else []
    if children.empty:
        tracker.log_summary(parent.run_id, {"mlflow.note.content": "\n".join(note)}, {})
        return ""
    table = ranked(children, monitor, swept_keys)
    best = table.iloc[0]
    summary = f"{len(table)} runs, ranked by {monitor} of the kept epoch."
    if pd.notna(best[f"best_{monitor}"]):
        summary += f" Best: [{best['name']}](#/experiments/{tracker.experiment_id}/runs/{best['run_id']})."
        of_best = {f"best_{monitor}": best[f"best_{monitor}"], "test/accuracy": best["test/accuracy"]}
        tags = {"best_child": best["run_id"], "best_child_name": best["name"]}
        tracker.log_summary(parent.run_id, tags, of_best)
    if "dataset" not in " ".join(swept_keys) and children.get("data_sha256", pd.Series()).nunique() > 1:
        note = ["These runs did not all see the same data (tag data_sha256).", "", *note]
    shown = table[["rank", *swept_keys, "status", f"best_{monitor}", "test/accuracy", "test/macro_f1"]].astype(object)
    tracker.log_table(parent.run_id, table, "leaderboard", "\n".join([summary, "", *note, markdown(shown)]))
    sweep_exports.record(tracker, parent.run_id, children)
    finished = table[(table["status"] == "FINISHED") & table[f"best_{monitor}"].notna()]
    return "" if finished.empty else str(finished.iloc[0]["run_id"])


def ranked(children: pd.DataFrame, monitor: str, swept_keys: Sequence[str]) -> pd.DataFrame:
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
        status = children["status"].where(children["pruned"].isna(), "PRUNED " + children["pruned"])
        children = children.assign(status=status)
    swept = {f"sweep.{key}": key for key in swept_keys}
    columns = ["name", "status", *swept, value, "test/accuracy", "test/accuracy_low", "test/accuracy_high"]
    table = children.reindex(columns=[*columns, "test/macro_f1", "run_id"])
    table = table.sort_values(value, ascending=log_mode(monitor) == "min", na_position="last", kind="stable")
    table.insert(0, "rank", range(1, len(table) + 1))
    return table.rename(columns=swept).reset_index(drop=True)


def shown(children: pd.DataFrame, monitor: str, swept_keys: Sequence[str]) -> Table:
    """Returns the leaderboard as it is read on a terminal: its first runs, each with the id to name it by.

    Args:
        children: One row for each child, as from `Tracker.children`.
        monitor: Metric that ranks.
        swept_keys: Keys whose values are shown.
    """
    table = ranked(children, monitor, swept_keys)
    left = len(table) - _MOST_SHOWN
    caption = f"and {left:,} more: leaderboard.csv of the sweep's run holds all" if left > 0 else None
    of_screen = Table(title="leaderboard", title_justify="left", caption=caption, caption_justify="left")
    for column in ("", *swept_keys, monitor, "test accuracy", "status", "run"):
        of_screen.add_column(Text(column), overflow="fold")
    for row in table.head(_MOST_SHOWN).itertuples(index=False):
        values = dict(zip(table.columns, row, strict=True))
        numbers = (values[f"best_{monitor}"], values["test/accuracy"])
        cells = ["-" if pd.isna(number) else f"{number:.4f}" for number in numbers]
        swept = [str(values[key]) for key in swept_keys]
        words = [str(values["rank"]), *swept, *cells, str(values["status"]), str(values["run_id"])[:SHORT_ID]]
        of_screen.add_row(*(Text(printable(word)) for word in words))
    return of_screen
