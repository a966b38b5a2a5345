"""No pruning leaves the model to itself."""

from contracts import node

from fer_exp.options import config


def test_nothing_is_taken_over() -> None:
    assert config.build(node("pruning", "none")) is None
