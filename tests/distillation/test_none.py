"""Nobody teaches."""

from contracts import compose, node

from fer_exp.options import config


def test_nobody_teaches_unless_asked_for() -> None:
    assert config.build(node("distillation", "none")) is None
    assert compose()["distillation"] == {"_target_": "fer_exp.distillation.none.build"}
