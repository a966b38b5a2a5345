"""Which channels stay: by an absolute threshold, or by the share of the multiply-adds that must go.

Called by the options of `pruning`. It must not know where scores come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fer_exp.errors import PruningError
from fer_exp.network.slim import slimming
from fer_exp.network.slim.channel_groups import Channels

Kept = list[np.ndarray]
"""For each group the positions of the channels that stay, ascending."""


@dataclass(frozen=True)
class Widths:
    """How many channels a group may be left with.

    Attributes:
        divisor: Widths are multiples of it, >= 1.
        least: No group is left with fewer, >= 1.
    """

    divisor: int
    least: int

    def above(self, wanted: int, size: int) -> int:
        """Returns the smallest width that is allowed and holds `wanted` channels of `size`."""
        rounded = -(-max(wanted, self.least) // self.divisor) * self.divisor
        return min(rounded, size)


def by_threshold(channels: Channels, scores: Sequence[np.ndarray | None], threshold: float, widths: Widths) -> Kept:
    """Keeps the channels whose score reaches a threshold, and as many more of the best as the widths ask for.

    Args:
        channels: Of the whole model.
        scores: For each group the score of each channel; a group of None stays whole.
        threshold: Least score of a channel that stays.
        widths: How many channels a group may be left with.
    """
    kept = []
    for group, of_group in zip(channels.groups, scores, strict=True):
        size = len(group.channels)
        width = size if of_group is None else widths.above(int((of_group >= threshold).sum()), size)
        kept.append(np.arange(size) if of_group is None else _best(of_group, width))
    return kept


def by_ratio(channels: Channels, scores: Sequence[np.ndarray | None], ratio: float, widths: Widths) -> Kept:
    """Keeps as many channels as leave at most 1 - ratio of the multiply-adds.

    One threshold holds for all groups. Scores of different layers have different units, so each is divided by the mean
    of its group.

    Args:
        channels: Of the whole model.
        scores: For each group the score of each channel; a group of None stays whole.
        ratio: Share of the multiply-adds to remove, 0 <= ratio < 1; at least as much is removed. The lowest threshold
            that does so may remove more than it must, because widths have steps: what fits is then given back.
        widths: How many channels a group may be left with.

    Raises:
        PruningError: If so much cannot be removed.
    """
    relative = [None if one is None or not one.mean() else one / one.mean() for one in scores]
    whole = slimming.multiply_adds(channels, [np.arange(len(group.channels)) for group in channels.groups])

    def left(threshold: float) -> float:
        return slimming.multiply_adds(channels, by_threshold(channels, relative, threshold, widths)) / whole

    known = [one for one in relative if one is not None]
    steps = np.unique(np.concatenate([*known, [0.0, np.inf]]))
    if left(np.inf) > 1 - ratio:
        raise PruningError(
            f"`pruning.ratio` must be at most {_rounded_down(1 - left(np.inf))}: with "
            f"pruning.min_channels={widths.least} and pruning.divisor={widths.divisor} no more of the multiply-adds "
            f"can be removed. Received: pruning.ratio={ratio:g}."
        )
    low, high = 0, len(steps) - 1  # the lowest threshold that removes enough
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if left(steps[middle]) <= 1 - ratio else (middle + 1, high)
    kept = by_threshold(channels, relative, float(steps[low]), widths)
    return _given_back(channels, relative, kept, (1 - ratio) * whole, widths)


def _given_back(
    channels: Channels, scores: Sequence[np.ndarray | None], kept: Kept, most: float, widths: Widths
) -> Kept:
    """Widens groups by a step each, the one whose best removed channel scores highest first, while `most` allows it."""
    wider = list(kept)
    removed = [_best_removed(one, positions) for one, positions in zip(scores, kept, strict=True)]
    for index in np.argsort(-np.array(removed), kind="stable"):
        of_group = scores[index]
        if of_group is None or removed[index] < 0:
            continue
        tried = [*wider]
        tried[index] = _best(of_group, widths.above(len(kept[index]) + 1, len(of_group)))
        if slimming.multiply_adds(channels, tried) <= most:
            wider = tried
    return wider


def _best(of_group: np.ndarray, width: int) -> np.ndarray:
    return np.sort(np.argsort(-of_group, kind="stable")[:width])


def _best_removed(of_group: np.ndarray | None, positions: np.ndarray) -> float:
    """Returns the highest score of a removed channel; -1 if there is none."""
    if of_group is None or len(positions) == len(of_group):
        return -1.0
    return float(np.delete(of_group, positions).max())


def _rounded_down(share: float) -> str:
    return f"{np.floor(share * 1000) / 1000:g}"
