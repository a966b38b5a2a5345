"""Differences are told from chance: tests against values by hand, textbook formulas and simulated runs."""

import numpy as np
import pytest
from scipy import stats

from fer_exp.assessment.significance import holm, mcnemar, paired_test, t_interval


def answers(seed: int, pairs: int, images: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Right and wrong answers of two configurations, the first a little better."""
    random = np.random.default_rng(seed)
    return random.random((pairs, images)) < 0.75, random.random((pairs, images)) < 0.65


def test_mcnemar_counts_only_the_images_on_which_two_models_disagree() -> None:
    assert mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(9, 1) == mcnemar(1, 9)
    assert mcnemar(5, 5) == mcnemar(0, 0) == 1.0


def test_the_interval_over_replicates_is_students() -> None:
    low, high = t_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5))


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_one_pair_is_mcnemars_exact_test() -> None:
    group = np.array([[True] * 9 + [False] + [True] * 10])
    baseline = np.array([[False] * 9 + [True] + [True] * 10])
    test = paired_test(group, baseline)
    assert test.difference == pytest.approx(8 / 20)
    assert test.p_value == test.p_images == pytest.approx(22 / 1024)
    assert np.isnan(test.p_replicates)
    assert [(pair.only_group, pair.only_baseline) for pair in test.pairs] == [(9, 1)]
    # Agresti and Min: 9.5 and 1.5 of 22, variance (11 - 8^2 / 22) / 22^2
    half = 1.959964 * ((11 - 64 / 22) / 22**2) ** 0.5
    assert tuple(test.interval) == pytest.approx((8 / 22 - half, 8 / 22 + half))


def test_two_pairs_are_mcnemars_test_clustered_by_image() -> None:
    group, baseline = answers(0, pairs=2)
    test = paired_test(group, baseline)
    each = (group & ~baseline).sum(axis=0) / 2 - (baseline & ~group).sum(axis=0) / 2  # (b_k - c_k) / n_k of Durkalski
    assert test.p_value == pytest.approx(stats.chi2.sf(each.sum() ** 2 / (each**2).sum(), 1))
    assert np.isnan(test.p_replicates)


def test_the_same_pair_of_models_twice_is_no_more_evidence_than_once() -> None:
    group, baseline = answers(8, pairs=1)
    only_group, only_baseline = int((group & ~baseline).sum()), int((baseline & ~group).sum())
    once = stats.chi2.sf((only_group - only_baseline) ** 2 / (only_group + only_baseline), 1)
    twice = paired_test(np.repeat(group, 2, axis=0), np.repeat(baseline, 2, axis=0))
    assert twice.p_value == pytest.approx(once)
    assert mcnemar(2 * only_group, 2 * only_baseline) < once / 2  # what adding up the counts would claim


@pytest.mark.parametrize("seed", [2, 3])
def test_three_pairs_are_clarks_min_f_over_replicates_and_images(seed: int) -> None:
    group, baseline = answers(seed, pairs=3)
    test = paired_test(group, baseline)
    over_seeds = stats.ttest_rel(group.mean(axis=1), baseline.mean(axis=1))
    each = (group.astype(float) - baseline).mean(axis=0)
    f1, f2 = over_seeds.statistic**2, each.sum() ** 2 / (each**2).sum()
    freedom = (f1 + f2) ** 2 / (f1**2 / 199 + f2**2 / 2)
    assert test.p_replicates == pytest.approx(over_seeds.pvalue)
    assert test.p_images == pytest.approx(stats.chi2.sf(f2, 1))
    assert test.p_value == pytest.approx(stats.f.sf(f1 * f2 / (f1 + f2), 1, freedom))
    assert (test.interval.low > 0) == (test.p_value < 0.05)


def test_folds_share_training_images_so_their_spread_counts_for_more() -> None:
    group, baseline = answers(4, pairs=5)
    differences = group.mean(axis=1) - baseline.mean(axis=1)
    corrected = differences.mean() / (np.var(differences, ddof=1) * (1 / 5 + 1 / 4)) ** 0.5
    test = paired_test(group, baseline, folds=5)
    assert test.p_replicates == pytest.approx(2 * stats.t.sf(corrected, 4))
    assert test.p_replicates > paired_test(group, baseline).p_replicates


@pytest.mark.parametrize("pairs", [1, 2, 4])
def test_equal_answers_are_no_difference(pairs: int) -> None:
    group, _ = answers(5, pairs)
    test = paired_test(group, group)
    assert (test.difference, test.p_value, test.p_images) == (0.0, 1.0, 1.0)


def test_seeds_that_all_differ_by_the_same_are_judged_by_the_images() -> None:
    group, baseline = (np.repeat(one, 3, axis=0) for one in answers(6, pairs=1))
    test = paired_test(group, baseline)
    assert test.p_replicates == 0.0
    assert test.p_value == pytest.approx(test.p_images, rel=0.05)


def test_configurations_that_are_equally_good_are_seldom_called_different() -> None:
    """Both sources of chance at work: images that suit one configuration, and seeds that turn out well."""
    random = np.random.default_rng(7)
    wrongly = {"ours": 0, "counts added up": 0}
    trials = 400
    for _ in range(trials):
        suits = random.normal(0, 1.5, (2, 1, 250))  # of configuration and image
        lucky = random.normal(0, 0.2, (2, 4, 1))  # of configuration and seed
        group, baseline = random.random((2, 4, 250)) < 1 / (1 + np.exp(-(0.8 + suits + lucky)))
        wrongly["ours"] += paired_test(group, baseline).p_value < 0.05
        added_up = mcnemar(int((group & ~baseline).sum()), int((baseline & ~group).sum()))
        wrongly["counts added up"] += added_up < 0.05
    assert wrongly["ours"] / trials <= 0.05
    assert wrongly["counts added up"] / trials > 0.15
