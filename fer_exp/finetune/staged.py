"""Staged unfreezing of a pre-trained backbone: the head first, then its upper part, then all of it."""

from typing import Annotated

from pydantic import Field

from fer_exp.finetune import Stage


def build(*, stages: Annotated[list[Stage], Field(min_length=1)]) -> tuple[Stage, ...]:
    """Builds the plan.

    Args:
        stages: One or more stages, each with name, unfreeze (0-1), lr_scale (> 0), epoch_share (> 0) and, if the
            features of a frozen backbone are to be computed once, feature_views (>= 0).
    """
    return tuple(stages)
