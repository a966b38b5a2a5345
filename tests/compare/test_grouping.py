"""Replicates come together, configurations are told apart by what differs."""

from collections.abc import Mapping

import pytest

from fer_exp.compare.grouping import Grouping, configuration, group
from fer_exp.errors import ComparisonError

BASE = {
    "lr": "0.001",
    "schedule.peak": "0.001",
    "seed": "0",
    "model._target_": "fer_exp.model.cnn.build",
    "model.widths": "[4, 4]",
}


def grouping(*changes: Mapping[str, str | None], by: tuple[str, ...] = ()) -> Grouping:
    """Groups runs that differ from BASE; None leaves a parameter out."""
    runs = [{key: value for key, value in {**BASE, **change}.items() if value is not None} for change in changes]
    return group([configuration(run, "d" * 64) for run in runs], range(len(runs)), by)


def lr(value: str, **more: str) -> dict[str, str]:
    return {"lr": value, "schedule.peak": value, **more}


def test_runs_that_differ_in_seed_alone_are_replicates() -> None:
    found = grouping(lr("0.1", seed="0"), lr("0.1", seed="1"), lr("0.2", seed="0"), lr("0.2", seed="1"))
    assert [(one.label, one.name, one.members) for one in found.groups] == [
        ("A", "lr=0.1", (0, 1)),
        ("B", "lr=0.2", (2, 3)),
    ]
    assert found.axes == ("seed",)
    assert found.groups[1].replicates == (("0",), ("1",))
    assert found.parameters == {"lr": ("0.1", "0.2")}
    assert found.copies == {"lr": ("schedule.peak",)}


def test_folds_are_replicates_and_a_run_without_folds_is_another_configuration() -> None:
    folds = [{"fold": str(fold), "folds": "2"} for fold in (0, 1)]
    found = grouping(*folds, {"fold": "None", "folds": "2"})
    assert [one.members for one in found.groups] == [(0, 1), (2,)]
    assert found.parameters == {"folds": ("2", "–")}


def test_the_number_of_folds_means_nothing_without_folds() -> None:
    found = grouping(lr("0.1", folds="5", fold="None"), lr("0.2", folds="10", fold="None"), lr("0.2", seed="1"))
    assert [one.members for one in found.groups] == [(0,), (1, 2)]
    assert found.parameters == {"lr": ("0.1", "0.2")}


@pytest.mark.parametrize(
    "key", ["name", "tracking.uri", "cache_dir", "resume", "dataset.cache_dir", "dataset.path", "export.kinds",
            "export._target_", "test_time_augmentation"],
)  # fmt: skip
def test_what_cannot_change_the_numbers_does_not_divide(key: str) -> None:
    found = grouping(lr("0.1", **{key: "x"}), lr("0.1", seed="1", **{key: "y"}), lr("0.2"))
    assert [one.members for one in found.groups] == [(0, 1), (2,)]


def test_other_data_in_the_same_place_are_another_configuration() -> None:
    found = group([configuration(BASE, "a" * 64), configuration(BASE, "b" * 64)], [0, 1])
    assert [one.name for one in found.groups] == [f"data_sha256={'a' * 12}", f"data_sha256={'b' * 12}"]


def test_groups_are_named_by_the_option_and_not_by_what_follows_from_it() -> None:
    other = {"model._target_": "fer_exp.model.linear.build", "model.widths": None, "model.l2": "0.0"}
    found = grouping({}, other)
    assert [one.name for one in found.groups] == ["model=cnn", "model=linear"]
    assert found.parameters["model.widths"] == ("[4, 4]", "–")


def test_options_of_one_model_are_named_where_they_differ() -> None:
    other = {"model._target_": "fer_exp.model.linear.build", "model.widths": None}
    found = grouping({}, {"model.widths": "[8]"}, other)
    assert [one.name for one in found.groups] == ["model=cnn model.widths=[4, 4]", "model=cnn model.widths=[8]",
                                                  "model=linear"]  # fmt: skip


def test_a_mapping_against_null_is_named_once() -> None:
    stopping = {"early_stopping.patience": "10", "early_stopping.min_delta": "0.0"}
    found = grouping({"early_stopping": "None"}, stopping)
    assert [one.name for one in found.groups] == ["early_stopping=None", "early_stopping=set"]


def test_chosen_keys_alone_make_the_groups_and_the_others_become_axes() -> None:
    runs = [lr(rate, seed=seed) for rate in ("0.1", "0.2") for seed in ("0", "1")]
    linear = [{**run, "model._target_": "fer_exp.model.linear.build"} for run in runs]
    found = grouping(*runs, *linear, by=("model",))
    assert [(one.name, len(one.members)) for one in found.groups] == [("model=cnn", 4), ("model=linear", 4)]
    assert found.axes == ("lr", "seed", "schedule.peak")


def test_what_follows_from_a_chosen_key_is_told_but_no_axis() -> None:
    found = grouping(lr("0.1"), lr("0.2"), lr("0.2", seed="1"), by=("schedule.peak",))
    assert found.axes == ("seed",)
    assert [one.name for one in found.groups] == ["schedule.peak=0.1", "schedule.peak=0.2"]


def test_of_two_equal_runs_the_newer_counts() -> None:
    runs = [configuration({**BASE, "lr": rate}, "d") for rate in ("0.1", "0.1", "0.2")]
    found = group(runs, [20, 10, 30])
    assert found.groups[0].members == (0,)
    assert found.repeated == (1,)


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(ComparisonError, match=r"Received: --by modle\. Did you mean model\?"):
        grouping(lr("0.1"), lr("0.2"), by=("modle",))


@pytest.mark.parametrize(
    ("seeds", "by", "found"),
    [
        (["0"], (), "1 run."),
        (["0", "1"], (), "2 runs that differ in nothing but seed."),
        (["0", "0"], (), "2 runs of the same configuration."),
        (["0", "1"], ("lr",), "2 runs with the same lr."),
    ],
)
def test_one_configuration_is_told_with_what_was_found(seeds: list[str], by: tuple[str, ...], found: str) -> None:
    with pytest.raises(ComparisonError) as caught:
        grouping(*({"seed": seed} for seed in seeds), by=by)
    assert f"`id` must name runs of at least two configurations. Received: {found}" in str(caught.value)


def test_there_are_labels_beyond_the_alphabet() -> None:
    found = grouping(*(lr(str(rate)) for rate in range(28)))
    assert [one.label for one in found.groups][24:] == ["Y", "Z", "AA", "AB"]
