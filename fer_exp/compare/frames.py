"""A comparison as tables of unrounded numbers, which become its CSV files.

Called by `compare`. It computes nothing and writes no file.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from fer_exp.compare.comparison import ACCURACY, MACRO_F1, Against, Comparison, Result


def frames(comparison: Comparison) -> dict[str, pd.DataFrame]:
    """Returns file name without ending -> numbers, as they are written to CSV."""
    grouping, results = comparison.grouping, comparison.results
    labels = [result.group.label for result in results]
    parameters = pd.DataFrame(
        [(key, " ".join(grouping.copies.get(key, ())), *values) for key, values in grouping.parameters.items()],
        columns=["parameter", "same_in", *labels],
    )
    return {
        "parameters": parameters,
        "groups": pd.DataFrame(_score_rows(results)),
        "significance": pd.DataFrame([_test_row(one, comparison.baseline) for one in comparison.against]),
        "pairs": pd.DataFrame(
            [row for one in comparison.against for row in _pair_rows(one)],
            columns=["group", "replicate", "run_id", "baseline_run_id", "only_group", "only_baseline", "p_mcnemar"],
        ),
        "classes": pd.DataFrame(list(_class_rows(comparison))),
        "runs": pd.DataFrame(list(_run_rows(comparison))),
    }


def _score_rows(results: tuple[Result, ...]) -> list[Mapping[str, object]]:
    return [
        {
            "group": result.group.label,
            "name": result.group.name,
            "measure": measure,
            "n": len(result.runs),
            "mean": score.mean,
            "std": score.deviation,
            "low": score.interval.low if score.interval else np.nan,
            "high": score.interval.high if score.interval else np.nan,
            "interval": score.source,
        }
        for result in results
        for measure, score in result.scores.items()
    ]


def _test_row(one: Against, baseline: Result) -> Mapping[str, object]:
    test = one.test
    return {
        "group": one.result.group.label,
        "name": one.result.group.name,
        "baseline": baseline.group.label,
        "pairs": len(one.pairs),
        "difference": test.difference if test else np.nan,
        "low": test.interval.low if test else np.nan,
        "high": test.interval.high if test else np.nan,
        "p_images": test.p_images if test else np.nan,
        "p_replicates": test.p_replicates if test else np.nan,
        "p_value": test.p_value if test else np.nan,
        "p_holm": one.adjusted,
        "method": test.method if test else "",
        "verdict": one.verdict,
        "remark": one.remark,
    }


def _pair_rows(one: Against) -> Iterator[tuple[object, ...]]:
    if one.test is None:
        return
    for name, (run, other), pair in zip(one.replicates, one.pairs, one.test.pairs, strict=True):
        ids = (run.record.run_id, other.record.run_id)
        yield (one.result.group.label, name, *ids, pair.only_group, pair.only_baseline, pair.p_value)


def _class_rows(comparison: Comparison) -> Iterator[Mapping[str, object]]:
    base = comparison.baseline
    for result in comparison.results:
        same = result.class_names == base.class_names
        for index, name in enumerate(result.class_names):
            yield {
                "group": result.group.label,
                "class": name,
                "images": int(result.runs[0].evaluation.support[index]),
                "recall": result.recall[index],
                "recall_difference": result.recall[index] - base.recall[index] if same else np.nan,
                "f1": result.f1[index],
                "f1_difference": result.f1[index] - base.f1[index] if same else np.nan,
            }


def _run_rows(comparison: Comparison) -> Iterator[Mapping[str, object]]:
    for result in comparison.results:
        for run, replicate in zip(result.runs, result.group.replicates, strict=True):
            yield {
                "group": result.group.label,
                "run_id": run.record.run_id,
                "name": run.record.name,
                **dict(zip(comparison.grouping.axes, replicate, strict=True)),
                ACCURACY: run.evaluation.accuracy,
                MACRO_F1: run.evaluation.macro_f1,
                "data_sha256": run.data_sha256,
            }
