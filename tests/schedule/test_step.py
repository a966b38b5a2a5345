"""The rate drops at shares of the stage, whatever its length."""

from typing import Any

import pytest
from contracts import node

from fer_exp.errors import ConfigError
from fer_exp.options import config


def build(total_steps: int, **changes: Any) -> Any:
    return config.build(node("schedule", "step", peak=0.5, **changes), total_steps, 10).learning_rate


def test_the_rate_is_multiplied_with_the_factor_after_each_milestone() -> None:
    rate = build(200, milestones=[0.5, 0.75], factor=0.1)
    assert [float(rate(step)) for step in (0, 100, 101, 150, 151, 200)] == pytest.approx(
        [0.5, 0.5, 0.05, 0.05, 0.005, 0.005]
    )


def test_milestones_are_shares_so_that_they_move_with_the_length_of_the_stage() -> None:
    rate = build(20, milestones=[0.25], factor=0.5)
    assert [float(rate(step)) for step in (5, 6)] == pytest.approx([0.5, 0.25])


@pytest.mark.parametrize("milestones", [[0.75, 0.5], [0.5, 0.5]])
def test_milestones_that_do_not_ascend_are_refused(milestones: list[float]) -> None:
    with pytest.raises(ConfigError) as caught:
        build(200, milestones=milestones)
    assert str(caught.value) == f"`schedule.milestones` must ascend. Received: schedule.milestones={milestones}."


def test_a_milestone_in_epochs_is_refused_with_the_rule() -> None:
    with pytest.raises(ConfigError, match=r"`schedule.milestones.1` must be less than 1. Received: .*=30"):
        build(200, milestones=[0.5, 30])
