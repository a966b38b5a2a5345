"""Finished runs teach: the network learns their probabilities beside the labels."""

from typing import Annotated

from pydantic import Field

from fer_exp.distillation import Distillation
from fer_exp.signature import Fraction, PositiveFloat, RunId


def build(
    *, run: RunId | Annotated[list[RunId], Field(min_length=1)], temperature: PositiveFloat, weight: Fraction
) -> Distillation:
    """Builds the plan.

    Args:
        run: Id of a finished run whose model teaches, or a list of ids, whose probabilities are averaged.
        temperature: What the logits of teacher and student are divided by before they are compared, > 0.
        weight: Share of the teacher's answers in the loss, 0-1; the labels have the rest.

    Source:
        Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, https://arxiv.org/abs/1503.02531.
    """
    runs = [run] if isinstance(run, str) else run
    return Distillation(tuple(dict.fromkeys(runs)), temperature, weight)
