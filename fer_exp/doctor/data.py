"""The doctor for data: examines a data set, shows what is wrong with it, and writes files that put it right.

Called by the doctor's command line. The data set itself is never changed; test images are reported, never corrected.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from fer_exp.data import csv_cells, folds
from fer_exp.dataset import Splits
from fer_exp.doctor import classifier, copies, counts, files, labels, page, pictures, pixels, pool, published, votes
from fer_exp.doctor.pool import Finding, Group, Pool
from fer_exp.doctor.published import Part
from fer_exp.doctor.sections import SECTIONS
from fer_exp.errors import ConfigError
from fer_exp.options import commandline, config
from fer_exp.record import store
from fer_exp.reporting import figure_style
from fer_exp.reporting.terminal import printable
from fer_exp.tracking import Tracker, glance

ARTIFACTS, PAGE = "doctor", "doctor.html"
_ON_BAD = ("on_bad_image", "on_bad_row")
_EXPERIMENT = "doctor"  # in MLflow, unless the command line names another
FILES = {
    "findings.csv": "every finding: name, split, label, kind, detail",
    "exclude.csv": "what can be left out of train and val: dataset.exclude=exclude.csv",
    "suspected_label_errors.csv": "labels the predictions contradict, the most doubtful first; look before use",
    "relabel.csv": "the surest of them in train and val: dataset.relabel=relabel.csv",
}


@dataclass
class Examination:
    """What was found.

    Attributes:
        pool: The images.
        findings: In the order they are shown.
        notes: What a reader must not miss.
        tables: CSV files by name.
        parts: What was published of the data set.
    """

    pool: Pool
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)

    @property
    def found(self) -> list[Finding]:
        """The findings that are of something."""
        return [finding for finding in self.findings if len(finding)]


def run(overrides: Sequence[str], only: Sequence[str], votes_file: Path | None, log: bool, screen: Console) -> bool:
    """Examines a data set, shows what is found, writes and logs it.

    Args:
        overrides: As of the main program; what they say of `dataset`, `fold` and `tracking` counts.
        only: Sections to examine; none: all.
        votes_file: Votes of FER+; None: those that the data set itself is made of, if it is.
        log: Whether a run in MLflow is made of it.
        screen: Where the tables go.

    Returns:
        Whether anything is wrong.

    Raises:
        UserError: If the data cannot be read, or an argument is wrong; nothing is written or logged then.
    """
    wanted = _chosen(only)
    jobs = commandline.check(overrides, groups=["dataset"])
    if jobs is None:
        raise ConfigError(["Overrides must be key=value."])
    experiment, began = jobs.first, time.monotonic()
    folder = store.outputs("doctor")
    if log:
        glance(experiment.tracking)
    dataset = _lenient(experiment.dataset, overrides)
    votes_file, option = _votes_of(dataset, votes_file, "votes" in only)
    with _step(screen, "reading"):
        splits = folds.divide(config.build(dataset), experiment.folds, experiment.fold)
        gathered, notes = pool.pooled(splits)
        ballots = None if votes_file is None else votes.read(votes_file, option, gathered, dataset)
    tracker: Tracker | None = None
    if log:
        named = any(word.lstrip("+~").startswith("tracking.experiment=") for word in overrides)
        changes = {} if named else {"experiment": _EXPERIMENT}
        tracker = config.build(experiment.tracking, system_metrics=False, **changes)
    parts = published.parts(dataset, splits.notes, experiment.fold is not None)
    examined = examine(gathered, splits, parts, wanted, ballots, screen)
    examined.notes[:0] = notes
    with _step(screen, "drawing"):
        write(folder, examined, splits.source)
    screen.print(_summary(examined, splits.source))
    for note in examined.notes:
        screen.print(Text(f"note: {printable(note)}"), soft_wrap=True)
    seconds = time.monotonic() - began
    screen.print(Text(f"{seconds:.0f} seconds; page and files: {folder}"), soft_wrap=True)
    if tracker is not None:
        run_id = _log(tracker, folder, examined, splits, dataset, seconds)
        screen.print(Text(f"logged: {ARTIFACTS}/ of run {run_id} in {tracker.uri}"), soft_wrap=True)
    return bool(examined.found)


def _chosen(only: Sequence[str]) -> tuple[str, ...]:
    strangers = [word for word in only if word not in SECTIONS]
    if strangers:
        raise ConfigError([f"`--only` must name sections among {', '.join(SECTIONS)}. Received: {strangers[0]}."])
    return tuple(section for section in SECTIONS if not only or section in only)


def _lenient(node: Mapping[str, Any], overrides: Sequence[str], key: str = "dataset") -> dict[str, Any]:
    """Returns the node of a data set, told to leave out what cannot be read unless the command line says otherwise.

    One damaged file would hide all that can be found in the others, and the damaged ones behind it.
    """
    written = {word.lstrip("+").partition("=")[0] for word in overrides}
    lenient: dict[str, Any] = {}
    for name, value in node.items():
        if isinstance(value, Mapping):  # the sources of `combine`
            lenient[name] = _lenient(value, overrides, f"{key}.{name}")
        else:
            lenient[name] = "skip" if name in _ON_BAD and f"{key}.{name}" not in written else value
    return lenient


def _votes_of(dataset: Mapping[str, Any], given: Path | None, demanded: bool) -> tuple[Path | None, str]:
    """Returns the file of votes, if there is one, and the option that names it."""
    if given is None and dataset.get("votes") is not None:
        return Path(dataset["votes"]), "dataset.votes"
    if given is None and demanded:
        raise ConfigError(
            [
                "`--only votes` needs a file of votes: --votes fer2013new.csv. Received: none. dataset=ferplus brings "
                "its own."
            ]
        )
    return given, "--votes"


def examine(
    gathered: Pool,
    splits: Splits,
    parts: list[Part],
    wanted: Sequence[str],
    ballots: votes.Votes | None,
    screen: Console,
) -> Examination:
    """Examines a data set.

    Args:
        gathered: Its images.
        splits: The data set itself.
        parts: What was published of it.
        wanted: Sections to examine.
        ballots: Votes; None if there are none.
        screen: Where progress is shown.
    """
    result = Examination(gathered, parts=parts)
    same: list[Group] = []
    alike: list[Group] = []
    if "counts" in wanted:
        with _step(screen, SECTIONS["counts"]):
            result.findings.append(counts.examine(gathered, parts))
            result.notes += counts.remarks(gathered)
    if "pixels" in wanted:
        with _step(screen, SECTIONS["pixels"]):
            result.findings += [pixels.unreadable(splits.notes), *pixels.examine(gathered)]
    if {"duplicates", "labels"} & set(wanted):  # copies of an image must not help to predict it
        with _step(screen, SECTIONS["duplicates"]) as advance:
            same = copies.exact(gathered)
            alike, mirrored = copies.near(gathered, same, advance)
    if "duplicates" in wanted:
        result.findings += copies.examine(gathered, same, alike, mirrored)
    if "votes" in wanted:
        result.findings += [] if ballots is None else [votes.examine(gathered, ballots)]
        result.findings.append(votes.dropped(splits.notes))
    if "labels" in wanted:
        _examine_labels(result, [*same, *alike], ballots, screen)
    result.tables["findings.csv"] = files.findings(gathered, result.findings)
    copied = (same, alike) if "duplicates" in wanted else ([], [])
    result.tables["exclude.csv"] = files.exclude(gathered, result.findings, *copied)
    return result


def _examine_labels(result: Examination, copied: Sequence[Group], ballots: votes.Votes | None, screen: Console) -> None:
    with _step(screen, SECTIONS["labels"]) as advance:
        predicted = classifier.predict(result.pool, copied, advance)
        suspected = labels.examine(result.pool, predicted)
    result.findings.append(suspected)
    result.notes += predicted.notes
    if ballots is not None and len(suspected):
        result.notes.append(labels.agreement(result.pool, suspected, ballots))
    table = labels.table(result.pool, predicted, suspected)
    result.tables["suspected_label_errors.csv"] = table
    result.tables["relabel.csv"] = labels.relabelled(table)


@contextmanager
def _step(screen: Console, title: str) -> Iterator[Callable[[float], None]]:
    """Shows that something is at work, and how far it is if it says so; then how long it took."""
    began = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        yield lambda share: progress.update(task, total=1.0, completed=share)
    screen.print(f"{title}: {time.monotonic() - began:.1f} s", highlight=False)


def write(folder: Path, examined: Examination, source: str) -> None:
    """Writes tables, pictures and page.

    Args:
        folder: Is made.
        examined: What was found.
        source: Where the data came from.
    """
    folder.mkdir(parents=True)
    for name, table in examined.tables.items():
        csv_cells.safe(table).to_csv(folder / name, index=False)
    drawn = {}
    for kind, sheet in pictures.sheets(examined.pool, examined.findings):
        drawn[kind] = folder / f"{kind}.png"
        figure_style.save(sheet, drawn[kind])
    gathered, samples = examined.pool, folder / "samples.png"
    figure_style.save(pictures.of_each_class(gathered), samples)
    facts = [source, f"{len(gathered):,} images", f"{datetime.now():%Y-%m-%d %H:%M}"]
    title = f"{len(examined.found)} kinds of findings in {Path(source).name}"
    text = page.render(
        title,
        facts,
        examined.notes,
        counts.sheet(gathered, examined.parts),
        page.parts(gathered, examined.findings, drawn),
        samples,
        {name: FILES[name] for name in examined.tables},
    )
    (folder / PAGE).write_text(text, encoding="utf-8")


def _summary(examined: Examination, source: str) -> Table:
    shown = Table(title=Text(printable(source)), title_justify="left")
    for column, justify in (("finding", "left"), ("images", "right"), ("groups", "right"), ("for example", "left")):
        shown.add_column(column, justify=justify)  # type: ignore[arg-type]
    for finding in examined.found:
        if len(finding.rows):
            example = f"{examined.pool.names[finding.rows[0]]}: {finding.details[0]}"
        else:
            example = ": ".join(finding.missing[0]) if finding.missing else ""
        groups = f"{len(finding.groups):,}" if finding.groups else ""
        cells = (finding.title, f"{len(finding):,}", groups, example)
        shown.add_row(*(Text(printable(cell)) for cell in cells))
    if not examined.found:
        shown.add_row("nothing", "0", "", "")
    return shown


def _log(
    tracker: Tracker,
    folder: Path,
    examined: Examination,
    splits: Splits,
    dataset: Mapping[str, Any],
    seconds: float,
) -> str:
    params = {f"dataset.{key}": value for key, value in dataset.items()}
    name = f"doctor {config.option_name(dataset)} {Path(splits.source).name}"
    with tracker.run(name, params, {"data_sha256": splits.sha256}) as tracked:
        counted = {f"doctor/{finding.kind}": float(len(finding)) for finding in examined.findings}
        tracked.log_metrics({**counted, "doctor/seconds": seconds})
        tracked.set_tags({"mlflow.note.content": "\n".join(f"- {note}" for note in examined.notes)[:5000]})
        tracker.add_folder(tracked.run_id, folder, ARTIFACTS)
    return tracked.run_id
