"""Asynchronous successive halving: the better share of the trials earns more and more epochs."""

from typing import Annotated

import optuna
from pydantic import Field

from fer_exp.signature import NonNegativeInt, PositiveInt


def build(
    epochs: int,
    *,
    min_resource: PositiveInt,
    reduction_factor: Annotated[int, Field(ge=2, lt=2**31)],
    min_early_stopping_rate: NonNegativeInt,
) -> optuna.pruners.BasePruner:
    """Builds the pruner.

    Args:
        epochs: Of the longest trial.
        min_resource: Epochs that every trial gets, >= 1.
        reduction_factor: One of so many trials is kept at each rung, >= 2.
        min_early_stopping_rate: Rungs left out at the beginning, >= 0; each is reduction_factor times as long as the
            one before.

    Source:
        Li et al., 2020, https://arxiv.org/abs/1810.05934.
    """
    return optuna.pruners.SuccessiveHalvingPruner(
        min_resource=min_resource,
        reduction_factor=reduction_factor,
        min_early_stopping_rate=min_early_stopping_rate,
    )
