"""A sweep without values, without an end, or with too many jobs is told before any of them is composed."""

import pytest

from fer_exp.errors import ConfigError
from fer_exp.options import commandline
from fer_exp.options.grammar.sweeps import MOST_JOBS


def problems(*arguments: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        commandline.check(["-m", *arguments])
    return list(caught.value.problems)


def test_a_glob_stands_for_the_options_of_its_group() -> None:
    jobs = commandline.check(["-m", "model=glob(mob*)", "seed=0,1"])
    assert jobs is not None
    assert jobs.swept_keys == ["model", "seed"]
    assert {experiment.option("model") for experiment in jobs.experiments} == {"mobilenet_v1", "mobilenet_v2"}


def test_a_search_may_choose_by_a_glob() -> None:
    jobs = commandline.check(["-m", "hydra/sweeper=optuna", "model=glob(mob*)"])
    assert jobs is not None
    assert jobs.first.option("model") == "mobilenet_v1"


def test_a_glob_that_finds_nothing_names_what_there_is() -> None:
    assert problems("model=glob(zzz*)") == [
        "`model` must have a value: a glob chooses from clip, cnn, fer_resnet, frame_average, mobilenet_v1, "
        "mobilenet_v2. Received: model=glob(zzz*)."
    ]
    assert "the options of a group, and this is none" in problems("lr=glob(*)")[0]


@pytest.mark.parametrize("values", ["range(0,1e12)", "range(0,1e400)", "shuffle(range(0,1e400))", "range(5,-1e9,-1)"])
def test_a_range_without_a_reasonable_end_is_refused_and_not_counted_through(values: str) -> None:
    assert problems(f"seed={values}") == [f"`seed` may have at most {MOST_JOBS:,} values. Received: seed={values}."]


def test_the_product_of_all_values_is_limited_too() -> None:
    assert problems("seed=range(0,200)", "fold=range(0,200)") == [
        f"A sweep may have at most {MOST_JOBS:,} jobs. Received: 40,000, the product of all values."
    ]


@pytest.mark.parametrize("values", ["range(0,1,0)", "range(0,1,0.0)", "range(nan,1)"])
def test_a_range_that_cannot_be_counted_through_is_told(values: str) -> None:
    (problem,) = problems(f"seed={values}")
    assert problem.startswith("`seed` cannot be counted through: ")
    assert problem.endswith(f". Received: seed={values}.")
