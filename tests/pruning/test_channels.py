"""The option chooses by ratio or threshold and tells what it chose; bad values are refused before TensorFlow."""

from typing import Any

import numpy as np
import pytest
from contracts import compose, node
from slim_models import small

from fer_exp.errors import ConfigError, PruningError
from fer_exp.network.slim import slimming
from fer_exp.network.slim.channel_groups import analyse
from fer_exp.options import config
from fer_exp.pruning import Pruning

RUN = "0123456789abcdef" * 2
OVERRIDES = ("pruning=channels", f"pruning.run={RUN}")


def loss_changes() -> list[np.ndarray | None]:
    """Fails the test if asked: the scores of weights need no images."""
    raise AssertionError


def plan(**changes: Any) -> Pruning:
    built: Pruning = config.build(node("pruning", "channels", run=RUN, **{"divisor": 1, "min_channels": 1, **changes}))
    return built


def test_a_ratio_is_of_the_multiply_adds() -> None:
    channels = analyse(small("fer_resnet"))
    chosen = plan(ratio=0.5).choose(channels, loss_changes)
    whole = slimming.multiply_adds(channels, [np.arange(len(group.channels)) for group in channels.groups])
    assert 0.45 < slimming.multiply_adds(channels, chosen.kept) / whole <= 0.5


def test_a_threshold_is_a_score() -> None:
    channels = analyse(small("cnn"))
    chosen = plan(threshold=1.3).choose(channels, loss_changes)  # the scales are 1.1 to 1.5
    table = chosen.table
    assert (table["least_score_kept"] >= 1.3).all()
    assert (table["largest_score_removed"] < 1.3).all()
    assert table["channels_before"].tolist() == [8, 12, 8, 16, 24]
    assert table["channels_after"].tolist() == [len(positions) for positions in chosen.kept]
    for gone, positions, before in zip(table["removed"], chosen.kept, table["channels_before"], strict=True):
        assert sorted([*map(int, gone.split()), *positions]) == list(range(before))


def test_widths_are_multiples_and_not_below_the_least() -> None:
    channels = analyse(small("mobilenet_v2"))
    widths = [
        len(positions) for positions in plan(ratio=0.6, divisor=8, min_channels=16).choose(channels, loss_changes).kept
    ]
    sizes = [len(group.channels) for group in channels.groups]
    assert all(width == size or (width % 8 == 0 and width >= 16) for width, size in zip(widths, sizes, strict=True))
    assert widths != sizes


def test_the_choice_is_the_same_every_time() -> None:
    first, second = (plan(ratio=0.4).choose(analyse(small("fer_resnet")), loss_changes).kept for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_ratio_of_zero_keeps_all_without_looking() -> None:
    assert plan(ratio=0.0).choose is None


def test_a_model_without_batch_norm_is_scored_by_its_kernels() -> None:
    channels = analyse(small("cnn without batch norm"))
    with pytest.raises(
        PruningError, match=r"`pruning.score` must be l1 or taylor for a model without batch normalisation"
    ):
        plan(ratio=0.5, score="batch_norm").choose(channels, loss_changes)
    assert plan(ratio=0.5, score="l1").choose(channels, loss_changes).table["channels_after"].sum() < 68


def test_what_the_loss_would_change_decides_if_asked_for() -> None:
    channels = analyse(small("cnn without batch norm"))
    random = np.random.default_rng(0)
    changes = [random.uniform(1, 2, len(group.channels)) for group in channels.groups]
    table = plan(threshold=1.5, score="taylor").choose(channels, lambda: changes).table
    assert table["channels_after"].tolist() == [int((change >= 1.5).sum()) for change in changes]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["pruning=channels"], "`pruning.run` of pruning=channels must be given: pruning.run=<value>. Id of a"),
        ([*OVERRIDES], "must be given, and not both. Received: neither."),
        (
            [*OVERRIDES, "pruning.ratio=0.5", "pruning.threshold=0.1"],
            "not both. Received: pruning.ratio=0.5 pruning.threshold=0.1.",
        ),
        ([*OVERRIDES, "pruning.ratio=1"], "`pruning.ratio` must be less than 1. Received: pruning.ratio=1."),
        ([*OVERRIDES, "pruning.threshold=-1"], "`pruning.threshold` must be greater than or equal to 0."),
        (
            [*OVERRIDES, "pruning.ratio=0.5", "pruning.score=l2"],
            "`pruning.score` must be 'batch_norm', 'l1' or 'taylor'.",
        ),
        ([*OVERRIDES, "pruning.ratio=0.5", "pruning.divisor=0"], "`pruning.divisor` must be greater than 0."),
        (["pruning=channels", "pruning.run=abc", "pruning.ratio=0.5"], "must be the id of a run (32 hex digits, or"),
        (
            [*OVERRIDES, "pruning.ratio=0.5", "strategy=multi_worker", "resume=never"],
            "`pruning` must be none with strategy=multi_worker",
        ),
    ],
)
def test_bad_values_are_named(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.check(compose(*overrides))
    (problem,) = caught.value.problems
    assert message in problem
