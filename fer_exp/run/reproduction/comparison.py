"""What came of repeating a run: the numbers of both, what else differed, and a verdict.

Called by `conclusion` with a source and what the new run has measured. It must not know where the numbers were stored.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from fer_exp.assessment.metrics import Evaluation
from fer_exp.assessment.significance import ALPHA, mcnemar
from fer_exp.run.reproduction.request import Source, flat

# Tags of both runs that say what computed the numbers.
ENVIRONMENT = (
    *("git_commit", "version", "platform", "libraries", "precision", "kernels", "keras", "environment", "device"),
    *("threads", "weights"),
)
NOT_RECORDED = "not recorded"
_COMPARED = ("test", "best_")  # how the names of metrics begin
# Metrics that are in the table, but not on the terminal: ends of intervals, and single classes of other views.
_QUIET = re.compile(r".*_(low|high)|test_\w+/.*/.*")


class Row(NamedTuple):
    """One thing that was compared; `kind` is environment, configuration, metric or predictions."""

    kind: str
    name: str
    original: Any
    reproduction: Any
    difference: Any
    same: bool


@dataclass(frozen=True)
class Comparison:
    """A run and its repetition.

    Attributes:
        verdict: `identical` to the last bit, `agrees` up to what chance explains, or `differs`.
        sentence: The verdict with its numbers, for people.
        rows: All that was compared.
        equal_predictions: Share of the images that both call the same.
        p_value: McNemar's exact test of the two accuracies.
    """

    verdict: Literal["identical", "agrees", "differs"]
    sentence: str
    rows: tuple[Row, ...]
    equal_predictions: float
    p_value: float

    @property
    def agrees(self) -> bool:
        """Whether the numbers are the same, up to what chance explains."""
        return self.verdict != "differs"

    def table(self) -> pd.DataFrame:
        """Returns one row for each thing compared."""
        return pd.DataFrame(self.rows)

    def tags(self) -> dict[str, str]:
        """Returns what is written on the new run."""
        return {
            "reproduction": self.sentence,
            "reproduction.equal_predictions": f"{self.equal_predictions:.6f}",
            "reproduction.mcnemar_p": f"{self.p_value:.4g}",
        }


def compare(
    source: Source,
    evaluation: Evaluation,
    tags: Mapping[str, Any],
    numbers: Mapping[str, float],
    configuration: Mapping[str, Any],
) -> Comparison:
    """Compares a run with its repetition.

    Args:
        source: The run.
        evaluation: Of the repetition, on the same test images.
        tags: Of the repetition.
        numbers: Metrics of the repetition as a whole.
        configuration: Of the repetition, nested.
    """
    was, now = source.evaluation, evaluation
    if len(was) != len(now) or (was.labels != now.labels).any():
        raise RuntimeError("data of the same digest must have the same test labels")
    around = [*_environment(source.record.tags, tags), *_settings(source.configuration, flat(configuration))]
    measured = _measured(source.record.metrics, numbers)
    equal = float(np.mean(was.predictions == now.predictions))
    furthest = float(np.abs(was.probabilities - now.probabilities).max())
    was_right, right = was.predictions == was.labels, now.predictions == now.labels
    p_value = mcnemar(int(np.sum(right & ~was_right)), int(np.sum(was_right & ~right)))
    others = [row.name for row in around if not row.same]
    if any(str(of.get("git_commit")).endswith("-dirty") for of in (source.record.tags, tags)):
        others = list(dict.fromkeys([*others, "git_commit"]))  # changes that no commit holds may differ
    deterministic = bool(configuration.get("deterministic"))
    known = [row for row in measured if NOT_RECORDED not in (row.original, row.reproduction)]
    if furthest == 0 and all(row.same for row in known):
        verdict: Literal["identical", "agrees", "differs"] = "identical"
        sentence = (
            f"{len(known)} metrics, and every probability of {len(now):,} test images, are equal to the last bit."
        )
    else:
        verdict = "differs" if p_value < ALPHA or (deterministic and not others) else "agrees"
        sentence = f"{_numbers(was, now, equal, furthest, p_value)} {_weight(deterministic, p_value, others)}"
    within = f" within {abs(100 * (now.accuracy - was.accuracy)):.2f} points" if verdict == "agrees" else ""
    predictions = [
        Row("predictions", "share of equal predictions", "", "", equal, equal == 1),
        Row("predictions", "largest difference of a probability", "", "", furthest, furthest == 0),
        Row("predictions", "p-value of McNemar's exact test", "", "", p_value, p_value >= ALPHA),
    ]
    rows = (*around, *measured, *predictions)
    return Comparison(verdict, f"{verdict}{within}: {sentence}", rows, equal, p_value)


def terminal(found: Comparison, title: str) -> Table:
    """Returns what differs and every test metric, as the terminal shows them.

    Args:
        found: From `compare`.
        title: Above the table.
    """
    shown = Table(title=Text(title), title_justify="left")
    for column in ("", "original", "reproduction", "difference"):
        shown.add_column(column, justify="left" if column == "" else "right", overflow="fold")
    for row in found.rows:
        if row.kind == "predictions":
            shown.add_row(row.name, "", "", f"{row.difference:.4g}")
        elif row.kind != "metric":
            if not row.same:
                shown.add_row(row.name, str(row.original), str(row.reproduction), "differs")
        elif not _QUIET.fullmatch(row.name):
            shown.add_row(row.name, *(v if isinstance(v, str) else f"{v:.4g}" for v in row[2:4]), _gap(row))
    return shown


def _environment(was: Mapping[str, str], now: Mapping[str, Any]) -> list[Row]:
    pairs = [(key, was.get(key, NOT_RECORDED), str(now.get(key, NOT_RECORDED))) for key in ENVIRONMENT]
    return [Row("environment", key, a, b, "", a == b != NOT_RECORDED) for key, a, b in pairs]


def _settings(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Row]:
    """Returns the keys of the configuration that are not the same, such as those that did not exist then."""
    pairs = [(key, was.get(key, NOT_RECORDED), now.get(key, NOT_RECORDED)) for key in {**was, **now}]
    return [Row("configuration", key, str(a), str(b), "", False) for key, a, b in pairs if a != b]


def _measured(was: Mapping[str, float], now: Mapping[str, float]) -> list[Row]:
    rows = []
    for name in sorted(name for name in {**was, **now} if name.startswith(_COMPARED)):
        a, b = was.get(name, NOT_RECORDED), now.get(name, NOT_RECORDED)
        difference = "" if isinstance(a, str) or isinstance(b, str) else b - a
        rows.append(Row("metric", name, a, b, difference, a == b))
    return rows


def _numbers(was: Evaluation, now: Evaluation, equal: float, furthest: float, p_value: float) -> str:
    if equal == 1:
        return f"all {len(now):,} test images are called the same, with probabilities up to {furthest:.2g} apart."
    return (
        f"test accuracy {100 * was.accuracy:.2f} % then, {100 * now.accuracy:.2f} % now; {100 * equal:.1f} % of the "
        f"{len(now):,} test images are called the same; McNemar p = {p_value:.3f}."
    )


def _weight(deterministic: bool, p_value: float, others: Sequence[str]) -> str:
    """Returns what a reader must know to weigh numbers that are not equal."""
    if deterministic and not others:
        return "deterministic=true promises equal numbers, and all that was recorded of the environment is the same."
    said = (
        "deterministic=true promises equal numbers in the same environment only."
        if deterministic
        else "Without deterministic=true no two trainings add up in the same order."
    )
    said += f" Not the same, or not known to be: {', '.join(others)}." if others else ""
    if p_value < ALPHA:
        return f"{said} More than the choice of test images explains; other seeds tell whether training varies as much."
    return f"{said} No difference is shown, which is less than to show that there is none."


def _gap(row: Row) -> str:
    if isinstance(row.difference, str):
        return ""
    return "0" if row.same else f"{row.difference:+.2g}"
