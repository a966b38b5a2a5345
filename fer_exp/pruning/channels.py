"""Begin with the weights of a finished run, without the channels that matter least: they leave the architecture."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from fer_exp.errors import PruningError
from fer_exp.network.slim.channel_choice import Widths, by_ratio, by_threshold
from fer_exp.network.slim.channel_groups import Channels
from fer_exp.network.slim.channel_scores import scores
from fer_exp.pruning import Chosen, LossChanges, Pruning
from fer_exp.signature import NonNegativeFloat, OpenFraction, PositiveInt, RunId


def build(
    *,
    run: RunId,
    ratio: OpenFraction | None,
    threshold: NonNegativeFloat | None,
    score: Literal["batch_norm", "l1", "taylor"],
    min_channels: PositiveInt,
    divisor: PositiveInt,
) -> Pruning:
    """Builds the plan. Layers whose outputs are added lose the same channels.

    Args:
        run: Id of a finished run of the same model, in the same tracking store; the training begins with its weights.
        ratio: Share of the multiply-adds to remove, 0 <= ratio < 1; 0 removes nothing; null if a threshold is given.
        threshold: Channels with a smaller score go, >= 0; null if a ratio is given.
        score: batch_norm (size of the scale of batch normalisation), l1 (sum of the sizes of the kernel's values) or
            taylor (what the loss on training images would change without the channel, to first order).
        min_channels: No layer is left with fewer, >= 1.
        divisor: Widths are multiples of it, >= 1; 8 suits the processors of phones.
    """

    def choose(channels: Channels, loss_changes: LossChanges) -> Chosen:
        widths = Widths(divisor, min_channels)
        of_groups = loss_changes() if score == "taylor" else scores(channels, score)
        if all(one is None for one in of_groups):
            raise PruningError(
                "`pruning.score` must be l1 or taylor for a model without batch normalisation. "
                f"Received: pruning.score={score}, and the model of run {run} has none."
            )
        kept = (
            by_threshold(channels, of_groups, threshold, widths)
            if threshold is not None
            else by_ratio(channels, of_groups, ratio or 0.0, widths)
        )
        return Chosen(kept, _table(channels, of_groups, kept))

    return Pruning(run, None if ratio == 0 else choose)


def _table(channels: Channels, of_groups: Sequence[np.ndarray | None], kept: Sequence[np.ndarray]) -> pd.DataFrame:
    """Returns one row for each group; a group of which nothing is known has no scores, and stays whole."""
    rows = []
    for group, of_group, positions in zip(channels.groups, of_groups, kept, strict=True):
        size = len(group.channels)
        gone = np.setdiff1d(np.arange(size), positions)
        rows.append(
            {
                "layers": " ".join(group.paths),
                "channels_before": size,
                "channels_after": len(positions),
                "least_score_kept": np.nan if of_group is None else of_group[positions].min(),
                "largest_score_removed": np.nan if of_group is None or not len(gone) else of_group[gone].max(),
                "removed": " ".join(map(str, gone)),
            }
        )
    return pd.DataFrame(rows)
