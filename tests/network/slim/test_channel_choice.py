"""The choice meets threshold, ratio and widths."""

import keras
import numpy as np
import pytest
from slim_models import small

from fer_exp.errors import PruningError
from fer_exp.network import cost
from fer_exp.network.slim import slimming
from fer_exp.network.slim.channel_choice import Widths, by_ratio, by_threshold
from fer_exp.network.slim.channel_groups import analyse
from fer_exp.network.slim.channel_scores import scores


def test_a_threshold_removes_what_is_below_and_rounds_widths_up() -> None:
    channels = analyse(small("cnn"))  # widths 8, 12, 8, 16 and 24 units
    eight = np.array([0.1, 0.9, 0.8, 0.2, 0.7, 0.3, 0.6, 0.0])
    of_groups = [eight, None, eight, np.zeros(16), np.arange(24.0)]
    kept = by_threshold(channels, of_groups, 0.5, Widths(divisor=3, least=4))
    assert kept[0].tolist() == [1, 2, 3, 4, 5, 6]  # four reach it, six is the next multiple of three
    assert len(kept[1]) == 12  # nothing is known of it
    assert kept[3].tolist() == [0, 1, 2, 3, 4, 5]  # four at least, and a multiple of three
    assert kept[4].tolist() == list(range(24))  # 23 reach it


def test_a_width_is_never_more_than_there_is() -> None:
    assert Widths(divisor=8, least=8).above(9, 12) == 12
    assert Widths(divisor=8, least=8).above(0, 4) == 4


@pytest.mark.parametrize("name", ["cnn", "fer_resnet", "mobilenet_v2"])
@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.6])
def test_the_ratio_is_reached_and_not_much_more(name: str, ratio: float) -> None:
    model = small(name)
    channels = analyse(model)
    kept = by_ratio(channels, scores(channels, "l1"), ratio, Widths(divisor=1, least=1))
    left = cost.multiply_adds(slimming.slim(model, channels, kept)).total / cost.multiply_adds(model).total
    assert 1 - ratio - 0.08 <= left <= 1 - ratio


def test_what_the_steps_of_widths_remove_too_much_is_given_back() -> None:
    """Two groups of equal scores cross the threshold together, and one of them is enough."""
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(8, 1, name="one")(inputs)
    x = keras.layers.Conv2D(8, 1, name="two")(x)
    channels = analyse(keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(x))))
    same = np.repeat([1.0, 2.0], 4)
    # 16 pixels of 8 + 64, and 8: 1,160. Without half of the first convolution 584, of the second 644, of both 324.
    kept = by_ratio(channels, [same, same.copy()], 0.44, Widths(4, 4))
    assert sorted(len(positions) for positions in kept) == [4, 8]
    both = by_ratio(channels, [same, same.copy()], 0.5, Widths(4, 4))
    assert [positions.tolist() for positions in both] == [[4, 5, 6, 7]] * 2


def test_with_a_ratio_of_zero_everything_stays() -> None:
    channels = analyse(small("cnn"))
    kept = by_ratio(channels, scores(channels, "l1"), 0.0, Widths(8, 8))
    assert [len(positions) for positions in kept] == [len(group.channels) for group in channels.groups]


def test_a_ratio_that_the_least_widths_forbid_is_refused_with_what_is_possible() -> None:
    channels = analyse(small("cnn"))
    of_groups = scores(channels, "l1")
    with pytest.raises(PruningError, match=r"`pruning.ratio` must be at most 0\.\d+: with") as error:
        by_ratio(channels, of_groups, 0.95, Widths(8, 8))
    possible = float(str(error.value).split("at most ")[1].split(":")[0])
    by_ratio(channels, of_groups, possible, Widths(8, 8))
    assert "pruning.min_channels=8 and pruning.divisor=8" in str(error.value)
    assert "Received: pruning.ratio=0.95." in str(error.value)
