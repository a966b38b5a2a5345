"""Warm-up is a straight line, the rest half a cosine."""

import math

import pytest
from contracts import compose, node

from fer_exp.options import config


def rates(steps: list[int], total_steps: int = 100, steps_per_epoch: int = 10, **changes: float) -> list[float]:
    schedule = config.build(node("schedule", "cosine", peak=0.5, **changes), total_steps, steps_per_epoch)
    assert schedule.callbacks == ()
    return [float(schedule.learning_rate(step)) for step in steps]


def half_cosine(progress: float) -> float:
    return (1 + math.cos(math.pi * progress)) / 2


def test_without_warm_up_the_rate_falls_from_the_peak_to_zero_along_half_a_cosine() -> None:
    steps = [0, 13, 50, 99, 100]
    assert rates(steps) == pytest.approx([0.5 * half_cosine(step / 100) for step in steps], abs=1e-7)


def test_warm_up_rises_linearly_from_zero_to_the_peak_and_the_cosine_ends_with_the_last_step() -> None:
    expected = [0.0, 0.125, 0.25, 0.5, 0.5 * half_cosine(0.25), 0.25, 0.0]
    assert rates([0, 5, 10, 20, 40, 60, 100], warmup_epochs=2) == pytest.approx(expected, abs=1e-7)


def test_the_final_fraction_is_what_is_left_of_the_peak_at_the_end() -> None:
    assert rates([0, 50, 100], final_fraction=0.2) == pytest.approx([0.5, 0.3, 0.1])


def test_a_stage_shorter_than_the_warm_up_warms_up_over_half_of_itself() -> None:
    assert rates([0, 5, 10], total_steps=10, warmup_epochs=5) == pytest.approx([0.0, 0.5, 0.0], abs=1e-7)


@pytest.mark.parametrize("option", ["constant", "cosine", "cosine_restarts", "plateau", "step"])
def test_the_peak_of_every_schedule_has_one_owner_the_top_level_lr(option: str) -> None:
    assert compose(f"schedule={option}", "lr=0.125")["schedule"]["peak"] == 0.125
