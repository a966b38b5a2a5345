"""One rate from the first step to the last."""

from contracts import node

from fer_exp.options import config


def test_the_rate_is_the_top_level_lr_and_never_moves() -> None:
    schedule = config.build(node("schedule", "constant"), 100, 10)
    assert schedule.learning_rate == 1e-3  # lr of conf/config.yaml
    assert schedule.callbacks == ()
