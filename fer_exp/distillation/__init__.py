"""Contract of distillation: `build(*, ...) -> Distillation | None`; None trains on the labels alone.

Called by `experiment` through `config.build`. An option says who teaches and how much that counts; it must not know how
runs are stored, nor models.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Distillation:
    """Who teaches, and how much that counts.

    Attributes:
        runs: Ids of the finished runs whose models answer together.
        temperature: What all logits are divided by before they are compared, > 0.
        weight: Share of the teacher's answers in the loss, 0-1.
    """

    runs: tuple[str, ...]
    temperature: float
    weight: float
