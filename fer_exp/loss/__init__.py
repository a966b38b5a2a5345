"""Contract of a loss: `build(class_counts, class_names, *, class_weights, ...) -> Objective`.

Called by `training` through `config.build`. The loss takes one-hot or mixed labels (batch, classes) and logits (batch,
classes). Class weights travel as sample weights of the training batches, so that the validation loss stays unweighted
and comparable between runs, as with Keras' `class_weight`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fer_exp.errors import ConfigError
from fer_exp.signature import NonNegativeFloat

if TYPE_CHECKING:
    import keras

ClassWeights = Literal["auto"] | dict[str, NonNegativeFloat] | None


@dataclass(frozen=True)
class Objective:
    """What is minimised.

    Attributes:
        loss: Keras loss of labels (batch, classes) and logits (batch, classes).
        class_weights: Weight of an image of each class in the training loss; None for equal weights.
    """

    loss: "keras.losses.Loss"
    class_weights: tuple[float, ...] | None


def resolve_class_weights(
    class_weights: Literal["auto"] | Mapping[str, float] | None,
    class_counts: Sequence[int],
    class_names: Sequence[str],
) -> tuple[float, ...] | None:
    """Turns the option into one weight for each class.

    Args:
        class_weights: `auto` weighs by n / (classes * count), so that every class counts the same in sum; a mapping
            gives weights by class name, 1 for those it leaves out; None weighs nothing.
        class_counts: Training images of each class.
        class_names: Name of each class, in label order.

    Raises:
        ConfigError: If a name is no class, or `auto` meets a class without images.
    """
    if class_weights is None:
        return None
    if class_weights == "auto":
        empty = [name for name, count in zip(class_names, class_counts, strict=True) if count == 0]
        if empty:
            raise ConfigError([f"`loss.class_weights` auto needs training images of every class; none of: {empty}."])
        return tuple(sum(class_counts) / (len(class_counts) * count) for count in class_counts)
    unknown = sorted(set(class_weights) - set(class_names))
    if unknown:
        raise ConfigError(
            [f"`loss.class_weights` must name classes of the data set: {', '.join(class_names)}. Received: {unknown}."]
        )
    return tuple(class_weights.get(name, 1.0) for name in class_names)
