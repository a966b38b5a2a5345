"""Runs compared: read, tested, shown, written and logged.

Called by the command line of `compare`. What is found goes onto the sweep or chain if it is the only id, else onto a
run of its own.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fer_exp.compare import frames, page, runs, tables
from fer_exp.compare.comparison import Comparison, compare
from fer_exp.compare.confusion_difference import confusion_differences
from fer_exp.compare.tables import TextTable
from fer_exp.data import csv_cells
from fer_exp.errors import ComparisonError
from fer_exp.record import store
from fer_exp.reporting import console
from fer_exp.reporting.figure_style import save
from fer_exp.reporting.terminal import printable
from fer_exp.tracking import Tracker

ARTIFACTS = "compare"  # folder in MLflow
PAGE, PICTURE = "compare.html", "confusion_difference.png"
_MOST_LETTERS = 5000  # of a tag


def run(
    ids: Sequence[str],
    overrides: Sequence[str],
    by: Sequence[str],
    baseline: str | None,
    html: Path | None,
    screen: Console,
) -> Path:
    """Compares runs, shows what is found, writes and logs it.

    Args:
        ids: Of runs, and of the parents of sweeps and chains.
        overrides: As of the main program; what they say of `tracking` counts.
        by: Parameters that make the groups; none: all but seed and fold.
        baseline: Label or name of a group, or id of a run or sweep in it; None takes the first group.
        html: Where the page goes besides; None: nowhere.
        screen: Where the tables go.

    Returns:
        The folder with the files.

    Raises:
        UserError: If the runs cannot be found or compared; nothing is written or logged then.
    """
    if not ids:
        raise ComparisonError("`id` must name runs, or a sweep or chain by its parent run. Received: none.")
    if html is not None and (problem := store.output_problem("--html", html)):
        raise ComparisonError(problem)
    folder = store.outputs("compare")
    with console.waiting(screen, "reading the runs"):
        tracker = store.existing(overrides, [("id", word) for word in ids])
        selection = runs.select(tracker, ids)
        found = compare(runs.load(tracker, selection.records), by, baseline, selection.children)
    notes = [*selection.notes, *tables.notes(found)]
    texts = tables.texts(found)
    screen.print(Text(printable(tables.verdict(found)), style="bold"), soft_wrap=True)
    for table in texts:
        screen.print(_on_screen(table))
    for note in notes:
        screen.print(Text(f"note: {printable(note)}"), soft_wrap=True)
    name = f"compare {' | '.join(result.group.name for result in found.results)}"[:200]
    written = _write(folder, found, notes, texts)
    if html is not None:
        store.write(html, written)
    run_id = _log(tracker, folder, name, found, selection)
    screen.print(Text(f"files: {folder}\nlogged: {ARTIFACTS}/ of run {run_id} in {tracker.uri}"), soft_wrap=True)
    return folder


def _on_screen(table: TextTable) -> Table:
    title = Text(printable(table.title))
    shown = Table(title=title, title_justify="left", caption=Text(table.note), caption_justify="left")
    for index, column in enumerate(table.columns):
        shown.add_column(Text(printable(column)), justify="left" if index in table.left else "right")
    for row in table.rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))  # as text: names may look like markup
    return shown


def _write(folder: Path, found: Comparison, notes: Sequence[str], texts: Sequence[TextTable]) -> str:
    """Writes all files and returns the page."""
    folder.mkdir(parents=True)
    for file, frame in frames.frames(found).items():
        csv_cells.safe(frame).to_csv(folder / f"{file}.csv", index=False)
    base = found.baseline
    panels = [
        (f"{one.result.group.label}  {one.result.group.name}", one.result.shares - base.shares)
        for one in found.against
        if one.result.class_names == base.class_names
    ]
    if panels:
        drawn = confusion_differences(panels, base.class_names, f"{base.group.label}  {base.group.name}")
        save(drawn, folder / PICTURE)
    count = sum(len(result.runs) for result in found.results)
    facts = [
        f"baseline {base.group.label}: {base.group.name}",
        f"{count} runs",
        f"{len(base.runs[0].evaluation):,} test images",
        f"{datetime.now():%Y-%m-%d %H:%M}",
    ]
    picture = (folder / PICTURE).read_bytes() if panels else None
    title = f"{len(found.results)} configurations compared"
    written = page.render(title, tables.verdict(found), facts, notes, texts, picture, tables.runs_text(found))
    (folder / PAGE).write_text(written, encoding="utf-8")
    return written


def _log(tracker: Tracker, folder: Path, name: str, found: Comparison, selection: runs.Selection) -> str:
    """Logs the folder onto the sweep if there is nothing else, or onto a new run with links; returns the run's id."""
    if selection.parent is not None:
        tracker.add_folder(selection.parent.run_id, folder, ARTIFACTS)
        return selection.parent.run_id
    with tracker.parent(name, {"compared": _as_many_as_fit([run.run_id for run in selection.records], " ")}) as tracked:
        tracker.add_folder(tracked.run_id, folder, ARTIFACTS)
        links = [
            f"- {result.group.label} [{run.record.run_id}]"
            f"(#/experiments/{run.record.experiment_id}/runs/{run.record.run_id})"
            for result in found.results
            for run in result.runs
        ]
        tracked.set_tags({"mlflow.note.content": _as_many_as_fit(["Compared runs:", "", *links], "\n")})
    return tracked.run_id


def _as_many_as_fit(texts: Sequence[str], between: str) -> str:
    """Joins texts, without those that would make a tag too long; the files hold all."""
    joined = ""
    for text in texts:
        longer = f"{joined}{between}{text}" if joined else text
        if len(longer) > _MOST_LETTERS:
            break
        joined = longer
    return joined
