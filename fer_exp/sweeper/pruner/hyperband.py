"""Hyperband: successive halving that begins strictly for some trials and mildly for others."""

from typing import Annotated

import optuna
from pydantic import Field

from fer_exp.signature import PositiveInt


def build(
    epochs: int, *, min_resource: PositiveInt, reduction_factor: Annotated[int, Field(ge=2, lt=2**31)]
) -> optuna.pruners.BasePruner:
    """Builds the pruner, for trials of at most `epochs` epochs.

    Args:
        epochs: Of the longest trial.
        min_resource: Epochs that every trial gets, >= 1.
        reduction_factor: One of so many trials is kept at each rung, >= 2.

    Source:
        Li et al., 2018, https://jmlr.org/papers/v18/16-558.html.
    """
    return optuna.pruners.HyperbandPruner(
        min_resource=min_resource, max_resource=epochs, reduction_factor=reduction_factor
    )
