"""A comparison as tables to read; what the terminal and the page say comes from here, so that both say the same.

Called by `compare`. It computes nothing and writes no file.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from fer_exp.assessment.significance import ALPHA, FEWEST_REPLICATES, PairedTest
from fer_exp.compare.comparison import ACCURACY, MACRO_F1, Against, Comparison, Result, Score
from fer_exp.compare.grouping import DATA, title
from fer_exp.reporting.abridged import MOST_ROWS

NOTHING = "–"
_NAMES = {ACCURACY: "test accuracy, %", MACRO_F1: "test macro-F1, %"}
_PERCENT = ("accuracy", "macro_f1")


@dataclass(frozen=True)
class TextTable:
    """A table to read.

    Attributes:
        title: What it is.
        columns: Their names.
        rows: One text for each column.
        note: How to read it; may be empty.
        left: Columns of words, which stand at the left; the others hold numbers.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    left: frozenset[int] = field(default=frozenset({0, 1}))


def texts(comparison: Comparison) -> list[TextTable]:
    """Returns the tables that a person reads, the most important first."""
    return [_parameters(comparison), _scores(comparison), _significance(comparison), *_classes(comparison)]


def runs_text(comparison: Comparison) -> TextTable:
    """Returns the table of the runs behind each group."""
    rows = tuple(
        (result.group.label, run.record.name, run.record.run_id, " ".join(replicate) or NOTHING,
         _percent(run.evaluation.accuracy), _percent(run.evaluation.macro_f1))
        for result in comparison.results
        for run, replicate in zip(result.runs, result.group.replicates, strict=True)
    )  # fmt: skip
    axes = ", ".join(title(axis) for axis in comparison.grouping.axes) or "replicate"
    columns = ("", "run", "id", axes, "test accuracy, %", "test macro-F1, %")
    return TextTable("Runs", columns, rows, left=frozenset({0, 1, 2, 3}))


def verdict(comparison: Comparison) -> str:
    """Returns what came out, in one sentence: who is better or worse than the baseline, and by how much."""
    base = comparison.baseline.group
    told = [_told(one) for one in comparison.against if one.verdict in ("better", "worse")]
    tested = [one for one in comparison.against if one.test is not None]
    against = f"Against {base.label} ({base.name})"
    if not tested:
        return f"{against}, nothing could be tested: the notes say why."
    left = len(tested) - len(told)
    if not told:
        which = tested[0].result.group
        who = f"{which.label} ({which.name}) shows" if left == 1 else f"none of the {left} other configurations shows"
        return f"{against}, {who} {'no difference' if left == 1 else 'a difference'} that is more than chance."
    rest = {0: "", 1: "; the other one shows no difference that is more than chance"}.get(
        left, f"; the other {left} show no difference that is more than chance"
    )
    return f"{against}, {'; '.join(told)}{rest}."


def _told(one: Against) -> str:
    """Returns that a group is better or worse, and by how much."""
    if one.test is None:
        return ""
    low, high = _points(one.test.interval.low), _points(one.test.interval.high)
    who, by = f"{one.result.group.label} ({one.result.group.name})", _points(abs(one.test.difference)).lstrip("+")
    return f"{who} is {one.verdict} by {by} points of test accuracy (95 % {low} to {high})"


def notes(comparison: Comparison) -> list[str]:
    """Returns the sentences a reader must not miss."""
    remarks = [f"{one.result.group.label}: {one.remark}" for one in comparison.against if one.remark]
    return [*comparison.notes, *remarks]


def _parameters(comparison: Comparison) -> TextTable:
    grouping = comparison.grouping
    rows = []
    for key, values in grouping.parameters.items():
        copies = ", ".join(title(copy) for copy in grouping.copies.get(key, ()))
        name = "data (SHA-256)" if key == DATA else title(key)
        rows.append((f"{name} (and {copies})" if copies else name, *values))
    columns = ("parameter", *(_label(result, comparison) for result in comparison.results))
    return TextTable("What differs", columns, tuple(rows), left=frozenset(range(len(columns))))


def _scores(comparison: Comparison) -> TextTable:
    measures = list(dict.fromkeys(measure for result in comparison.results for measure in result.scores))
    columns = ["", "configuration", "n"]
    for measure in measures:
        columns += [_NAMES.get(measure, f"{measure.replace('best_', 'best ')}{', %' if _in_percent(measure) else ''}")]
        columns += ["95 % interval"]
    rows = []
    for result in comparison.results:
        cells = [_label(result, comparison), result.group.name, str(len(result.runs))]
        for measure in measures:
            cells += _score(result.scores.get(measure), _in_percent(measure))
        rows.append(tuple(cells))
    note = (
        "Mean ± standard deviation over n replicates. Intervals: t is Student's over the replicates; that of a single "
        "run is Wilson's (accuracy) or a bootstrap (macro-F1) over its test images, and knows nothing of other seeds."
    )
    return TextTable("Scores", tuple(columns), tuple(rows), note)


def _score(score: Score | None, percent: bool) -> tuple[str, str]:
    if score is None or np.isnan(score.mean):
        return NOTHING, NOTHING
    show = _percent if percent else _plain
    mean = show(score.mean) if np.isnan(score.deviation) else f"{show(score.mean)} ± {show(score.deviation)}"
    if score.interval is None:
        return mean, NOTHING
    source = {"Student t": "t"}.get(score.source, score.source)
    return mean, f"{show(score.interval.low)} to {show(score.interval.high)} ({source})"


def _significance(comparison: Comparison) -> TextTable:
    tested = [one for one in comparison.against if one.test is not None]
    columns = ["", "configuration", "pairs", "difference, points", "95 % interval", "p images", "p replicates", "p"]
    columns += ["p Holm"] if len(tested) > 1 else []
    rows = []
    for one in comparison.against:
        cells = [one.result.group.label, one.result.group.name, str(len(one.pairs))]
        cells += _test(one.test)
        cells += [_p(one.adjusted)] if len(tested) > 1 else []
        rows.append((*cells, one.verdict, _holds_for(one)))
    count = (
        f"p Holm is p corrected for {len(tested)} comparisons, and the verdict goes by it. " if len(tested) > 1 else ""
    )
    note = (
        "Test accuracy on the same images, same replicate against same replicate, two-sided. p images: would new "
        "images show it with these very models? p replicates: would new seeds show it on these images? p: both at "
        f"once (min F') from {FEWEST_REPLICATES} pairs on, else new images only (McNemar; two pairs clustered by "
        "image). "
        f"{count}A verdict needs p < {ALPHA}."
    )
    left = frozenset({0, 1, len(columns), len(columns) + 1})
    name = f"Against {_label(comparison.baseline, comparison)} {comparison.baseline.group.name}"
    return TextTable(name, (*columns, "verdict", "holds for"), tuple(rows), note, left)


def _test(test: PairedTest | None) -> list[str]:
    if test is None:
        return [NOTHING] * 5
    interval = f"{_points(test.interval.low)} to {_points(test.interval.high)}"
    return [_points(test.difference), interval, _p(test.p_images), _p(test.p_replicates), _p(test.p_value)]


def _holds_for(one: Against) -> str:
    if one.test is None:
        return NOTHING
    return "new images" if np.isnan(one.test.p_replicates) else "new images and replicates"


def _classes(comparison: Comparison) -> Iterator[TextTable]:
    """Returns a table for recall and one for F1: the baseline's value, and how the others differ from it."""
    base = comparison.baseline
    others = [one.result for one in comparison.against if one.result.class_names == base.class_names]
    support = base.runs[0].evaluation.support
    every = len(base.class_names)
    for name, values in (("recall", lambda result: result.recall), ("F1", lambda result: result.f1)):
        rows = []
        for index in _shown(values, base, others):
            cells = [base.class_names[index], f"{support[index]:,}", _percent(values(base)[index])]
            cells += [_points(values(result)[index] - values(base)[index]) for result in others]
            rows.append(tuple(cells))
        columns = ("class", "images", f"{base.group.label}, %", *(f"{other.group.label}, points" for other in others))
        note = "Means over the replicates, and differences from them; single classes are not tested."
        if len(rows) < every:
            note += f" {len(rows)} of {every:,} classes: those that differ most, or are the largest."
        yield TextTable(f"{name[0].upper()}{name[1:]} of each class", columns, tuple(rows), note, frozenset({0}))


def _shown(values: Callable[[Result], np.ndarray], base: Result, others: Sequence[Result]) -> Sequence[int]:
    """Returns the classes that have a row: of many those whose values differ most, else the largest."""
    every = len(base.class_names)
    if every <= MOST_ROWS:
        return range(every)
    gaps = [np.abs(np.nan_to_num(values(other) - values(base))) for other in others]
    furthest = np.max(gaps, axis=0) if gaps else np.zeros(every)
    order = np.lexsort((-base.runs[0].evaluation.support, -furthest))
    return sorted(order[:MOST_ROWS].tolist())


def _label(result: Result, comparison: Comparison) -> str:
    return f"{result.group.label} (baseline)" if result is comparison.baseline else result.group.label


def _in_percent(measure: str) -> bool:
    return measure.endswith(_PERCENT)


def _percent(value: float) -> str:
    return NOTHING if np.isnan(value) else f"{100 * value:.1f}"


def _plain(value: float) -> str:
    return f"{value:.4f}"


def _points(value: float) -> str:
    return NOTHING if np.isnan(value) else f"{100 * value:+.1f}".replace("-", "−")


def _p(value: float) -> str:
    if np.isnan(value):
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
