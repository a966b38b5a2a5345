"""Contract of a loss: `build(class_counts, class_names, *, class_weights, ...) -> Objective`.

Called by `assembly` through `config.build`. The loss takes one-hot or mixed labels (batch, classes) and logits (batch,
classes). Class weights travel as sample weights of the training batches, so that the validation loss stays unweighted
and comparable between runs, as with Keras' `class_weight`. Offsets of the logits are targets of training batches alone,
for the same reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fer_exp.errors import ConfigError
from fer_exp.signature import NonNegativeFloat, OpenFraction

if TYPE_CHECKING:
    import keras

    from fer_exp.options.config import Experiment

ClassWeights = Literal["auto", "effective_number"] | dict[str, NonNegativeFloat] | None


@dataclass(frozen=True)
class Objective:
    """What is minimised.

    Attributes:
        loss: Keras loss whose `call` gives the loss of each image, (batch,), of labels and logits (batch, classes); the
            training takes the mean over the batch.
        class_weights: Weight of an image of each class in the training loss; None for equal weights.
        logit_offsets: What is added to the logits of each class in training, before the loss takes them; None: nothing.
    """

    loss: "keras.losses.Loss"
    class_weights: tuple[float, ...] | None
    logit_offsets: tuple[float, ...] | None = None


def resolve_class_weights(
    class_weights: Literal["auto", "effective_number"] | Mapping[str, float] | None,
    beta: OpenFraction,
    class_counts: Sequence[int],
    class_names: Sequence[str],
) -> tuple[float, ...] | None:
    """Turns the option into one weight for each class.

    Args:
        class_weights: `auto` weighs by n / (classes * count), so that every class counts the same in sum;
            `effective_number` by (1 - beta) / (1 - beta^count), scaled to a mean of 1 over the classes; a mapping gives
            weights by class name, 1 for those it leaves out; None weighs nothing.
        beta: Of `effective_number`, 0 <= beta < 1: 0 weighs nothing, towards 1 it weighs by 1 / count.
        class_counts: Training images of each class.
        class_names: Name of each class, in label order.

    Raises:
        ConfigError: If a name is no class, or `auto` or `effective_number` meets a class without images.

    Source:
        Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", 2019, https://arxiv.org/abs/1901.05555.
    """
    if class_weights is None:
        return None
    if class_weights == "auto" or class_weights == "effective_number":
        require_every_class(f"`loss.class_weights` {class_weights}", class_counts, class_names)
    if class_weights == "effective_number":
        raw = [(1 - beta) / (1 - beta**count) for count in class_counts]
        return tuple(len(raw) * weight / sum(raw) for weight in raw)
    if class_weights == "auto":
        return tuple(sum(class_counts) / (len(class_counts) * count) for count in class_counts)
    unknown = sorted(set(class_weights) - set(class_names))
    if unknown:
        raise ConfigError(
            [f"`loss.class_weights` must name classes of the data set: {', '.join(class_names)}. Received: {unknown}."]
        )
    return tuple(class_weights.get(name, 1.0) for name in class_names)


def require_every_class(who: str, class_counts: Sequence[int], class_names: Sequence[str]) -> None:
    """Refuses classes without training images.

    Args:
        who: Needs them.
        class_counts: Training images of each class.
        class_names: Name of each class, in label order.

    Raises:
        ConfigError: If a class has none.
    """
    empty = [name for name, count in zip(class_names, class_counts, strict=True) if count == 0]
    if empty:
        raise ConfigError([f"{who} needs training images of every class; none of: {empty}."])


def problems(experiment: "Experiment") -> Iterator[str]:
    """Yields what is wrong with the loss beside the rest of a configuration."""
    if experiment.sampling != "natural" and experiment.option("loss") == "logit_adjusted":
        yield (
            "`sampling` must be natural with loss=logit_adjusted, which evens out the classes itself, by their shares "
            f"of the training images. Received: sampling={experiment.sampling}."
        )
