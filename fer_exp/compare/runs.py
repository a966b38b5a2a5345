"""The runs that a comparison is about, read from the tracker: ids become records, records get their predictions.

Called by `compare`. It must not know how runs are grouped or tested.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fer_exp.assessment.metrics import Evaluation
from fer_exp.errors import ComparisonError
from fer_exp.process import temporary
from fer_exp.record import layout
from fer_exp.reporting.tables import read_predictions
from fer_exp.run import chain_report
from fer_exp.signature import run_id as checked_id
from fer_exp.tracking import Record, Tracker


@dataclass(frozen=True)
class Selection:
    """What ids lead to.

    Attributes:
        records: Finished runs, each once, in the order named; children of a sweep the oldest first, a chain's source
            before its stages.
        parent: The parent of the sweep or chain, if it is the only id.
        children: Parent -> the ids of those of its runs that are taken.
        notes: A line for each child that is left out.
    """

    records: tuple[Record, ...]
    parent: Record | None
    children: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """A finished run and its predictions on the test split."""

    record: Record
    evaluation: Evaluation

    @property
    def data_sha256(self) -> str:
        """Digest of the data it was trained and tested on."""
        return self.record.tags.get("data_sha256", "unknown")


def select(tracker: Tracker, ids: Sequence[str]) -> Selection:
    """Looks up runs, sweeps for their children, and chains of compression for their source and stages.

    Args:
        tracker: Where the runs are.
        ids: Of runs, or of parents of sweeps and chains.

    Raises:
        ComparisonError: With a line for each id that is malformed or unknown, not finished, or a parent without
            finished runs.
    """
    problems: list[str] = []
    notes: list[str] = []
    found: dict[str, Record] = {}
    children: dict[str, tuple[str, ...]] = {}
    named = [_lookup(tracker, word, problems) for word in dict.fromkeys(ids)]
    for record in named:
        if record is None:
            continue
        below = _runs_of(tracker, record)
        if below is None:
            if record.status != "FINISHED":
                problems.append(f"`id` must be a finished run. Received: {record.called}, which is {record.status}.")
            found[record.run_id] = record
            continue
        finished = [child for child in below if child.status == "FINISHED"]
        if not finished:
            problems.append(
                f"`id` must be a sweep or a chain with finished runs. Received: {record.called}: "
                f"none of its {len(below)} runs is FINISHED."
            )
        notes += [f"Left out: {child.called} is {child.status}." for child in below if child not in finished]
        children[record.run_id] = tuple(child.run_id for child in finished)
        found |= {child.run_id: child for child in finished}
    if problems:
        raise ComparisonError("\n".join(problems))
    parent = named[0] if len(named) == 1 and children else None
    return Selection(tuple(found.values()), parent, children, tuple(notes))


def load(tracker: Tracker, records: Iterable[Record]) -> list[ComparedRun]:
    """Reads the predictions of each run.

    Args:
        tracker: Where the runs are.
        records: Of finished runs.

    Raises:
        ComparisonError: With a line for each run whose predictions are missing or damaged.
    """
    runs: list[ComparedRun] = []
    problems: list[str] = []
    for record in records:
        with temporary.folder("compare") as folder:
            file = tracker.download(record.run_id, layout.PREDICTIONS, folder)
            if file is None:
                problems.append(
                    f"`id` must be a run with {layout.PREDICTIONS}. Received: {record.called}, which has none."
                )
                continue
            try:
                runs.append(ComparedRun(record, read_predictions(file)))
            except ValueError as error:
                problems.append(
                    f"{layout.PREDICTIONS} of {record.called} cannot be read: {' '.join(str(error).split())}."
                )
    if problems:
        raise ComparisonError("\n".join(problems))
    return runs


def _runs_of(tracker: Tracker, record: Record) -> list[Record] | None:
    """Returns the runs that a parent stands for; None if it is none."""
    if "sweep" in record.tags:
        return tracker.child_records(record.run_id)
    if chain_report.TAG in record.tags:
        return [run for _, run in chain_report.runs(tracker, record.tags)]
    return None


def _lookup(tracker: Tracker, word: str, problems: list[str]) -> Record | None:
    try:
        record = tracker.record(checked_id(word))
    except ValueError as error:
        problems.append(f"`id` must be {error}. Received: {word}.")
        return None
    if record is None:
        problems.append(f"`id` must be a run in {tracker.uri}. Received: {word}, which is not there.")
    return record
