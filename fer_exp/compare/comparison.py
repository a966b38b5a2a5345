"""Configurations side by side: their scores over replicates, and each against a baseline on the same test images.

Called by `compare` with runs whose predictions are read. It must not know the tracking server, files, or how a number
is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fer_exp.assessment.metrics import Interval
from fer_exp.assessment.significance import ALPHA, PairedTest, holm, paired_test, t_interval
from fer_exp.compare.grouping import Group, Grouping, configuration, group
from fer_exp.compare.runs import ComparedRun
from fer_exp.errors import ComparisonError

ACCURACY, MACRO_F1 = "test/accuracy", "test/macro_f1"
_CIRCUMSTANCES = ("git_commit", "precision", "platform", "weights")  # tags that no parameter tells


@dataclass(frozen=True)
class Score:
    """One measure of a group.

    Attributes:
        mean: Over the replicates; NaN if not every one of them measured it.
        deviation: Standard deviation over the replicates (n - 1); NaN for a single one.
        interval: 95 % interval, if there is one.
        source: Where the interval comes from: `Student t`, `Wilson`, `bootstrap`, or nothing.
    """

    mean: float
    deviation: float
    interval: Interval | None
    source: str


@dataclass(frozen=True, eq=False)
class Result:
    """A group and what its runs say together.

    Attributes:
        group: The group.
        runs: Its runs, in the order of the group's replicates.
        scores: Measure -> score.
        shares: float64 (classes, classes), the confusion matrix as shares of each true class, mean over the runs; NaN
            in the rows of classes without images.
        recall: float64 (classes,), mean over the runs.
        f1: float64 (classes,), mean over the runs; NaN where a run has none.
    """

    group: Group
    runs: tuple[ComparedRun, ...]
    scores: Mapping[str, Score]
    shares: np.ndarray
    recall: np.ndarray
    f1: np.ndarray

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class, in label order."""
        return self.runs[0].evaluation.class_names


@dataclass(frozen=True)
class Against:
    """A group against the baseline.

    Attributes:
        result: The group.
        replicates: Those that were paired, as text.
        pairs: The paired runs, the group's first.
        test: What the test says; None if it would mean nothing.
        adjusted: The test's p-value after Holm's correction; NaN without a test.
        remark: Why there is no test, or what to bear in mind.
    """

    result: Result
    replicates: tuple[str, ...]
    pairs: tuple[tuple[ComparedRun, ComparedRun], ...]
    test: PairedTest | None
    adjusted: float
    remark: str

    @property
    def verdict(self) -> str:
        """What the test says in words, after Holm's correction."""
        if self.test is None:
            return "not tested"
        if self.adjusted >= ALPHA:
            return "no difference shown"
        return "better" if self.test.difference > 0 else "worse"


@dataclass(frozen=True)
class Comparison:
    """Everything that is compared.

    Attributes:
        grouping: Which runs belong together, and what sets the groups apart.
        results: One for each group.
        baseline: The group that the others are compared with.
        against: One for each other group.
        notes: What else a reader has to know, a line each.
    """

    grouping: Grouping
    results: tuple[Result, ...]
    baseline: Result
    against: tuple[Against, ...]
    notes: tuple[str, ...]


def compare(
    runs: Sequence[ComparedRun],
    by: Sequence[str] = (),
    baseline: str | None = None,
    sweeps: Mapping[str, Sequence[str]] | None = None,
) -> Comparison:
    """Groups runs and compares the groups.

    Args:
        runs: Finished runs.
        by: Parameters that make the groups; none: all but seed and fold.
        baseline: Label or name of a group, or id of one of its runs; None takes the first group.
        sweeps: Parent's id -> ids of its runs; an id of a parent names a baseline too, if its runs are one group.

    Raises:
        ComparisonError: If there are fewer than two groups, or none of that name.
    """
    configurations = [configuration(run.record.params, run.data_sha256) for run in runs]
    grouping = group(configurations, [run.record.started for run in runs], by)
    results = tuple(_result(one, [runs[index] for index in one.members]) for one in grouping.groups)
    chosen = results[0] if baseline is None else _baseline(results, baseline, sweeps or {})
    pairings = [_against(result, chosen, grouping.axes) for result in results if result is not chosen]
    tested = [one.test.p_value for one in pairings if one.test is not None]
    adjusted = iter(holm(tested))
    against = tuple(
        one
        if one.test is None
        else Against(one.result, one.replicates, one.pairs, one.test, next(adjusted), one.remark)
        for one in pairings
    )
    repeated = [
        f"Left out: {runs[index].record.run_id} ({runs[index].record.name}), because a newer run repeats it."
        for index in grouping.repeated
    ]
    return Comparison(grouping, results, chosen, against, (*repeated, *_circumstances(results)))


def _result(group: Group, runs: Sequence[ComparedRun]) -> Result:
    evaluations = [run.evaluation for run in runs]
    classes = {evaluation.class_names for evaluation in evaluations}
    if len(classes) > 1:
        raise ComparisonError(
            f"`id` must name runs that have the same classes within a group. Received: group {group.label} "
            f"({group.name}), with {' and with '.join(sorted(', '.join(names) for names in classes))}."
        )
    shares = [
        np.where(e.support[:, None] > 0, e.confusion / np.maximum(e.support, 1)[:, None], np.nan) for e in evaluations
    ]
    return Result(
        group,
        tuple(runs),
        _scores(runs),
        np.mean(shares, axis=0),
        np.mean([e.recall for e in evaluations], axis=0),
        np.mean([e.f1 for e in evaluations], axis=0),
    )


def _scores(runs: Sequence[ComparedRun]) -> dict[str, Score]:
    """Returns the scores that count, and the monitored metric that chose the weights, which only validation saw."""
    evaluations = [run.evaluation for run in runs]
    single = evaluations[0] if len(runs) == 1 else None
    scores = {
        ACCURACY: _score(
            [e.accuracy for e in evaluations], single.accuracy_interval if single is not None else None, "Wilson"
        ),
        MACRO_F1: _score(
            [e.macro_f1 for e in evaluations], single.macro_f1_interval if single is not None else None, "bootstrap"
        ),
    }
    for monitor in sorted({run.record.params.get("checkpoint.monitor", "") for run in runs} - {""}):
        values = [run.record.metrics.get(f"best_{monitor}", np.nan) for run in runs]
        scores[f"best_{monitor}"] = _score(values, None, "")
    return scores


def _score(values: Sequence[float], of_single: Interval | None, source: str) -> Score:
    """Summarises replicates; a single one has the interval that its own images give."""
    if len(values) == 1:
        return Score(values[0], np.nan, of_single, source if of_single else "")
    if np.isnan(values).any():
        return Score(np.nan, np.nan, None, "")
    return Score(float(np.mean(values)), float(np.std(values, ddof=1)), t_interval(values), "Student t")


def _baseline(results: Sequence[Result], wanted: str, sweeps: Mapping[str, Sequence[str]]) -> Result:
    """Finds the group that a word means: a label, a name, a run, or a sweep that is one group."""
    for result in results:
        ids = {run.record.run_id for run in result.runs}
        of_one_sweep = wanted in sweeps and set(sweeps[wanted]) <= ids
        if wanted.upper() == result.group.label or wanted == result.group.name or wanted in ids or of_one_sweep:
            return result
    groups = ", ".join(f"{result.group.label} ({result.group.name})" for result in results)
    raise ComparisonError(f"`--baseline` must be one of the groups or of their runs: {groups}. Received: {wanted}.")


def _against(result: Result, baseline: Result, axes: Sequence[str]) -> Against:
    """Pairs the replicates and tests them, if they answer the same images."""
    of_baseline = dict(zip(baseline.group.replicates, baseline.runs, strict=True))
    of_group = dict(zip(result.group.replicates, result.runs, strict=True))
    shared = [replicate for replicate in of_group if replicate in of_baseline]
    pairs = [(of_group[replicate], of_baseline[replicate]) for replicate in shared]
    names = [_replicate(replicate, axes) for replicate in shared]
    remark = ""
    if not pairs and len(result.runs) == len(baseline.runs) == 1:
        pairs = [(result.runs[0], baseline.runs[0])]
        (mine,), (other,) = result.group.replicates, baseline.group.replicates
        names = [f"{_replicate(mine, axes)} against {_replicate(other, axes)}"]
        remark = "Not the same replicate: part of the difference may come from that."
    if not pairs:
        reason = f"No p-value: no run has the {' and '.join(axes)} of a run of the baseline."
        return Against(result, (), (), None, np.nan, reason)
    reason = _not_the_same_images(pairs)
    if reason:
        return Against(result, tuple(names), tuple(pairs), None, np.nan, reason)
    left = len(result.runs) + len(baseline.runs) - 2 * len(pairs)
    if left and not remark:
        remark = f"{left} run{'s' if left > 1 else ''} without a partner {'are' if left > 1 else 'is'} not in the test."
    of_runs, of_base = (np.stack([_right(pair[side]) for pair in pairs]) for side in (0, 1))
    test = paired_test(of_runs, of_base, _folds(pairs, axes))
    return Against(result, tuple(names), tuple(pairs), test, np.nan, remark)


def _replicate(values: Sequence[str], axes: Sequence[str]) -> str:
    return " ".join(f"{axis}={value}" for axis, value in zip(axes, values, strict=True)) or "single run"


def _right(run: ComparedRun) -> np.ndarray:
    return run.evaluation.labels == run.evaluation.predictions


def _not_the_same_images(pairs: Sequence[tuple[ComparedRun, ComparedRun]]) -> str:
    """Returns why answers cannot be compared image by image; nothing if they can."""
    everyone = [run for pair in pairs for run in pair]
    first = everyone[0].evaluation
    if len({run.evaluation.class_names for run in everyone}) > 1:
        return "No p-value: the runs do not have the same classes."
    if len({run.data_sha256 for run in everyone}) > 1:
        return "No p-value: the test images are not the same, or not known to be (data_sha256 differs)."
    if any(not np.array_equal(run.evaluation.labels, first.labels) for run in everyone):
        return "No p-value: the test images are not the same (their labels differ)."
    return ""


def _folds(pairs: Sequence[tuple[ComparedRun, ComparedRun]], axes: Sequence[str]) -> int | None:
    """Returns the number of folds if the pairs differ in their fold."""
    found = {run.record.params["fold"] for run, _ in pairs if "fold" in run.record.params}
    if "fold" not in axes or len(found) < 2:
        return None
    return max(len(found), *(int(run.record.params.get("folds", 0)) for run, _ in pairs))


def _circumstances(results: Sequence[Result]) -> list[str]:
    """Tells what is not the same for all runs although no parameter says so."""
    lines = []
    for tag in _CIRCUMSTANCES:
        where: dict[str, dict[str, None]] = {}
        for result in results:
            for run in result.runs:
                where.setdefault(run.record.tags.get(tag, "unknown"), {})[result.group.label] = None
        if len(where) > 1:
            found = "; ".join(f"{value} in {', '.join(labels)}" for value, labels in where.items())
            lines.append(f"Not all runs have the same {tag}: {found}.")
    return lines
