"""Configurations are scored over their replicates and tested against the baseline where that means something."""

from typing import Any

import numpy as np
import pytest
from answers import LABELS, answered, right

from fer_exp.compare import frames, tables
from fer_exp.compare.comparison import Comparison, compare
from fer_exp.compare.runs import ComparedRun
from fer_exp.errors import ComparisonError
from fer_exp.tracking import Record


def run(number: int, share: float, seed: int = 0, **more: Any) -> ComparedRun:
    """A run whose `lr` follows from its share of right answers."""
    params = {"lr": str(share), "seed": str(seed), "checkpoint.monitor": "val/accuracy", **more.pop("params", {})}
    tags = {"data_sha256": "d" * 64, **more.pop("tags", {})}
    record = Record(
        f"{number:032x}", f"run {number}", "FINISHED", "1", number, params, tags, {"best_val/accuracy": share}
    )
    return ComparedRun(record, more.pop("evaluation", None) or answered(right(share, seed)))


def test_a_group_has_the_mean_and_students_interval_of_its_seeds() -> None:
    runs = [run(seed, 0.5, seed) for seed in range(3)]
    found = compare([*runs, run(9, 0.9)])
    values = [one.evaluation.accuracy for one in runs]
    score = found.results[0].scores["test/accuracy"]
    half = 4.302653 * np.std(values, ddof=1) / 3**0.5
    assert (score.mean, score.deviation) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert score.interval == pytest.approx((np.mean(values) - half, np.mean(values) + half))
    assert score.source == "Student t"
    assert found.results[0].scores["best_val/accuracy"].mean == 0.5


def test_a_single_run_has_the_interval_of_its_images_and_the_table_says_which() -> None:
    found = compare([run(0, 0.5), run(1, 0.9)])
    scores = found.results[0].scores
    assert scores["test/accuracy"].interval == found.results[0].runs[0].evaluation.accuracy_interval
    assert scores["test/macro_f1"].interval == found.results[0].runs[0].evaluation.macro_f1_interval
    assert scores["best_val/accuracy"].interval is None
    (_, table, *_) = tables.texts(found)
    assert table.rows[0][4].endswith("(Wilson)")
    assert table.rows[0][6].endswith("(bootstrap)")


def test_seeds_are_paired_with_the_same_seeds_of_the_baseline() -> None:
    runs = [run(1, 0.5, 0), run(2, 0.5, 1), run(3, 0.5, 2), run(4, 0.9, 2), run(5, 0.9, 1)]
    (one,) = compare(runs).against
    assert one.replicates == ("seed=2", "seed=1")
    assert [(mine.record.run_id[-1], other.record.run_id[-1]) for mine, other in one.pairs] == [("4", "3"), ("5", "2")]
    assert one.remark == "1 run without a partner is not in the test."
    assert one.verdict == "better"


def test_the_baseline_is_named_by_label_name_run_or_sweep() -> None:
    runs = [run(1, 0.5), run(2, 0.7), run(3, 0.9), run(4, 0.9, 1)]
    parent = "f" * 32
    sweeps = {parent: [runs[2].record.run_id, runs[3].record.run_id]}
    for wanted in ("C", "c", "lr=0.9", runs[3].record.run_id, parent):
        found = compare(runs, baseline=wanted, sweeps=sweeps)
        assert found.baseline.group.label == "C"
        assert [one.result.group.label for one in found.against] == ["A", "B"]
        assert [one.verdict for one in found.against] == ["worse", "worse"]


def test_a_baseline_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(ComparisonError) as caught:
        compare([run(1, 0.5), run(2, 0.7)], baseline="Z")
    assert str(caught.value) == (
        "`--baseline` must be one of the groups or of their runs: A (lr=0.5), B (lr=0.7). Received: Z."
    )


def test_several_comparisons_are_corrected_and_the_table_says_so() -> None:
    found = compare([run(1, 0.5), run(2, 0.6), run(3, 0.9)])
    weak, strong = (one.test.p_value for one in found.against if one.test)
    assert strong < weak
    assert [one.adjusted for one in found.against] == pytest.approx([weak, 2 * strong])
    table = tables.texts(found)[2]
    assert "p Holm" in table.columns
    assert "corrected for 2 comparisons" in table.note
    assert "p Holm" not in tables.texts(compare([run(1, 0.5), run(2, 0.6)]))[2].columns


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"tags": {"data_sha256": "e" * 64}}, "the test images are not the same, or not known to be (data_sha256"),
        ({"evaluation": answered(right(0.9, 0)[::2], LABELS[::2])}, "the test images are not the same (their labels"),
        ({"evaluation": answered(right(0.9, 0), LABELS, ("a", "b", "c"))}, "the runs do not have the same classes"),
    ],
)  # fmt: skip
def test_other_images_give_no_p_value_and_the_reason(other: dict[str, Any], reason: str) -> None:
    found = compare([run(1, 0.5), run(2, 0.9, **other)])
    (one,) = found.against
    assert one.test is None
    assert one.remark.startswith(f"No p-value: {reason}")
    assert tables.notes(found) == [f"B: {one.remark}"]
    row = tables.texts(found)[2].rows[0]
    assert set(row[3:8]) == {"–"}
    assert row[8] == "not tested"


def test_one_run_against_one_of_another_seed_is_tested_with_a_warning() -> None:
    (one,) = compare([run(1, 0.5, 0), run(2, 0.9, 1)]).against
    assert one.test is not None
    assert one.replicates == ("seed=1 against seed=0",)
    assert one.remark.startswith("Not the same replicate")


def test_seeds_without_any_partner_give_no_p_value() -> None:
    runs = [run(1, 0.5, 0), run(2, 0.5, 1), run(3, 0.9, 2), run(4, 0.9, 3)]
    (one,) = compare(runs).against
    assert one.test is None
    assert one.remark == "No p-value: no run has the seed of a run of the baseline."


def test_folds_widen_the_spread_between_replicates() -> None:
    def fold(number: int, share: float, value: int) -> ComparedRun:
        return run(number, share, params={"fold": str(value), "folds": "3"}, evaluation=answered(right(share, value)))

    folds = [fold(3 * half + value, share, value) for half, share in enumerate((0.6, 0.7)) for value in range(3)]
    seeds = [run(3 * half + value, share, value) for half, share in enumerate((0.6, 0.7)) for value in range(3)]
    of_folds, of_seeds = (compare(runs).against[0].test for runs in (folds, seeds))
    assert of_folds is not None
    assert of_seeds is not None
    assert of_folds.difference == of_seeds.difference
    assert of_folds.p_replicates > of_seeds.p_replicates


def test_what_holds_for_new_seeds_is_told_from_what_holds_for_new_images() -> None:
    for count, holds in ((1, "new images"), (2, "new images"), (3, "new images and replicates")):
        runs = [run(10 * n + s, share, s) for n, share in enumerate((0.5, 0.9)) for s in range(count)]
        assert tables.texts(compare(runs))[2].rows[0][-1] == holds


def test_code_and_precision_that_differ_are_told() -> None:
    runs = [run(1, 0.5, tags={"git_commit": "aaa"}), run(2, 0.9, tags={"git_commit": "bbb"})]
    assert compare(runs).notes == ("Not all runs have the same git_commit: aaa in A; bbb in B.",)


def test_a_repeated_run_is_left_out_and_named() -> None:
    found = compare([run(1, 0.5), run(2, 0.5), run(3, 0.9)])
    assert found.notes == (f"Left out: {1:032x} (run 1), because a newer run repeats it.",)
    assert [one.record.name for one in found.baseline.runs] == ["run 2"]


def test_classes_that_differ_within_a_group_are_refused() -> None:
    other = run(2, 0.5, 1, evaluation=answered(right(0.5, 1), LABELS, ("a", "b", "c")))
    with pytest.raises(ComparisonError, match="must name runs that have the same classes within a group"):
        compare([run(1, 0.5), other, run(3, 0.9)])


def test_recall_and_f1_of_each_class_are_told_as_differences() -> None:
    better = np.ones(len(LABELS), bool)
    better[:10] = False  # ten of forty angry faces are taken for happy ones
    found = compare([run(1, 0.5, evaluation=answered(better)), run(2, 0.9, evaluation=answered(better | True))])
    frame = frames.frames(found)["classes"].set_index(["group", "class"])
    assert frame.loc[("B", "angry"), "recall_difference"] == pytest.approx(0.25)
    assert frame.loc[("B", "happy"), "f1_difference"] == pytest.approx(1 - 80 / 90)
    recall, f1 = tables.texts(found)[3:]
    assert recall.rows[0] == ("angry", "40", "75.0", "+25.0")
    assert f1.rows[1] == ("happy", "40", "88.9", "+11.1")


def test_the_files_hold_every_number_unrounded() -> None:
    runs = [run(10 * n + s, share, s) for n, share in enumerate((0.5, 0.9)) for s in range(3)]
    found: Comparison = compare(runs)
    written = frames.frames(found)
    test = found.against[0].test
    assert test is not None
    (row,) = written["significance"].to_dict("records")
    assert (row["difference"], row["p_value"], row["p_holm"], row["method"]) == (
        test.difference, test.p_value, test.p_value, "min F'",
    )  # fmt: skip
    assert written["pairs"]["only_group"].tolist() == [pair.only_group for pair in test.pairs]
    assert written["groups"].query("measure == 'test/accuracy'")["n"].tolist() == [3, 3]
    assert written["runs"]["seed"].tolist() == ["0", "1", "2"] * 2
    assert written["parameters"].to_dict("records") == [{"parameter": "lr", "same_in": "", "A": "0.5", "B": "0.9"}]


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ((0.5, 0.9), "Against A (lr=0.5), B (lr=0.9) is better by 37.5 points of test accuracy (95 % "),
        ((0.9, 0.5), "Against A (lr=0.9), B (lr=0.5) is worse by 37.5 points of test accuracy (95 % "),
        ((0.5, 0.51), "Against A (lr=0.5), B (lr=0.51) shows no difference that is more than chance."),
        ((0.5, 0.9, 0.51), "; the other one shows no difference that is more than chance."),
        ((0.5, 0.51, 0.49), "none of the 2 other configurations shows a difference that is more than chance."),
    ],
)
def test_the_verdict_is_one_sentence(shares: tuple[float, ...], told: str) -> None:
    sentence = tables.verdict(compare([run(number, share) for number, share in enumerate(shares)]))
    assert told in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
