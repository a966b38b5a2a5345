"""What a search chooses from is read from overrides as Hydra's users write them."""

import pytest

from fer_exp.errors import ConfigError
from fer_exp.run.hparams.search_space import Choice, Interval, Space, read


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("interval(1e-4,1e-1)", Interval(1e-4, 1e-1)),
        ("interval(1,8)", Interval(1.0, 8.0)),
        ("tag(log,interval(1e-4,1e-1))", Interval(1e-4, 1e-1, log=True)),
        ("int(interval(1,8))", Interval(1, 8)),
        ("int(tag(log,interval(8,512)))", Interval(8, 512, log=True)),
        ("tag(int,interval(1,8))", Interval(1, 8)),
        ("range(1,8,2)", Interval(1, 7, step=2)),
        ("range(8,1,-3)", Interval(2, 8, step=3)),
        ("range(0,0.5,0.1)", Interval(0.0, 0.4, step=0.1)),
        ("choice(128,256)", Choice(("128", "256"))),
        ("cosine,plateau", Choice(("cosine", "plateau"))),
        ("choice([4,4],[8,8,8])", Choice(("[4,4]", "[8,8,8]"))),
        ("null,0.9,true,'a b'", Choice(("null", "0.9", "True", "'a b'"))),
    ],
)
def test_each_way_to_give_several_values_is_understood(typed: str, values: Choice | Interval) -> None:
    found = read({}, [f"key={typed}"]).searched["key"]
    assert found == values
    if isinstance(found, Interval):
        assert type(found.low) is type(values.low)
        assert type(found.high) is type(values.high)


def test_a_range_has_the_values_that_a_plain_sweep_over_it_has() -> None:
    (whole,) = read({}, ["key=range(2,11,3)"]).searched.values()
    assert list(range(2, 11, 3)) == [2, 5, 8]
    assert whole == Interval(2, 8, step=3)


@pytest.mark.parametrize(
    ("typed", "rule"),
    [
        ("interval(1,1)", "go from a smaller to a larger number: interval(low, high)"),
        ("interval(2,1)", "go from a smaller to a larger number"),
        ("interval(0,inf)", "go from a smaller to a larger number"),
        ("tag(log,interval(0,1))", "begin above 0, because a logarithm needs it"),
        ("tag(int,interval(0.5,4))", "begin and end with whole numbers"),
        ("range(1,2)", "hold two values or more"),
        ("range(1,9,0)", "hold two values or more"),
        ("tag(log,range(1,9))", "be an interval, not a range"),
    ],
)
def test_nothing_to_choose_from_is_told_with_the_rule(typed: str, rule: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read({"lr": typed}, [])
    (problem,) = caught.value.problems
    assert problem.startswith(f"`lr` must {rule}")
    assert problem.endswith(f"Received: lr={typed}.")


def test_all_that_cannot_be_read_is_told_at_once_on_one_line_each() -> None:
    with pytest.raises(ConfigError) as caught:
        read({"lr": "interval(1e-4", "epochs": "interval(a,b)"}, ["seed=interval(3,2)"])
    assert [problem.split("`")[1] for problem in caught.value.problems] == [
        "hydra.sweeper.params.lr", "hydra.sweeper.params.epochs", "seed",
    ]  # fmt: skip
    assert all("\n" not in problem for problem in caught.value.problems)


def test_the_command_line_replaces_and_adds_to_the_params() -> None:
    params = {"lr": "interval(0,1)", "seed": "choice(0,1)", "epochs": 3}
    space = read(params, ["lr=0.1", "model=cnn", "+model.x=choice(a,b)", "seed=2,3,4"])
    assert space.fixed == ("lr=0.1", "epochs=3", "model=cnn")
    assert space.searched == {"seed": Choice(("2", "3", "4")), "+model.x": Choice(("a", "b"))}


def test_a_trial_is_the_fixed_overrides_and_its_own() -> None:
    space = Space(("model=cnn",), {"lr": Interval(1e-5, 1.0, log=True), "epochs": Interval(1, 9), "a": Choice(("x",))})
    assert space.overrides({"lr": 1e-5, "epochs": 3, "a": "x"}) == ["model=cnn", "lr=1e-05", "epochs=3", "a=x"]
