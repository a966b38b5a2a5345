"""Every cycle is half a cosine, longer and lower than the one before."""

import pytest
from contracts import node

from fer_exp.errors import ConfigError
from fer_exp.options import config

FIRST_CYCLE = 40  # steps: 4 epochs of 10


def rates(steps: list[int], **changes: float) -> list[float]:
    schedule = config.build(node("schedule", "cosine_restarts", peak=0.8, **changes), 500, 10)
    return [float(schedule.learning_rate(step)) for step in steps]


def test_the_second_cycle_starts_from_the_decayed_peak_and_lasts_twice_as_long() -> None:
    middle_of_second, start_of_third = FIRST_CYCLE + 40, FIRST_CYCLE + 80
    steps = [0, 20, FIRST_CYCLE, middle_of_second, start_of_third]
    assert rates(steps, peak_decay=0.5) == pytest.approx([0.8, 0.4, 0.4, 0.2, 0.2], abs=1e-6)


def test_a_cycle_ends_near_the_final_fraction_of_the_first_peak() -> None:
    assert rates([FIRST_CYCLE - 1], final_fraction=0.25)[0] == pytest.approx(0.2, abs=2e-3)


def test_cycles_of_equal_length_repeat() -> None:
    assert rates([10, 50, 90], cycle_growth=1.0) == pytest.approx([rates([10])[0]] * 3, rel=1e-5)


def test_cycles_that_shrink_are_refused_because_they_end_before_the_training_does() -> None:
    with pytest.raises(ConfigError, match=r"`schedule.cycle_growth` must be greater than or equal to 1"):
        rates([0], cycle_growth=0.5)
