"""One stage at the top-level rate."""

from contracts import node

from fer_exp.options import config


def test_a_single_stage_trains_everything_at_the_top_level_rate() -> None:
    (stage,) = config.build(node("finetune", "none"))
    assert (stage.unfreeze, stage.lr_scale) == (1.0, 1.0)
