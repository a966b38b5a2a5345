"""Contract of a fine-tuning plan: `build(*, ...) -> tuple[Stage, ...]`, in the order they are trained.

Called by `training` through `config.build`. A plan says how much of the backbone learns and how fast; it must not know
a particular model. All stages share one epoch axis.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from fer_exp.model import has_backbone
from fer_exp.options.explain import siblings
from fer_exp.signature import Fraction, NonNegativeInt, PositiveFloat

if TYPE_CHECKING:
    import keras

    from fer_exp.options.config import Experiment


class Stage(BaseModel):
    """One stretch of training.

    Attributes:
        name: Shown in the progress and in the curves.
        unfreeze: Share of the backbone's layers that learn, counted from its output; 0 trains the head alone.
        lr_scale: What the top-level `lr` is multiplied with.
        epoch_share: Weight by which the epochs are divided among the stages.
        feature_views: Where no layer of the backbone learns: how many augmented views of the training split its
            features are computed for, once, for the epochs to go through in turn; 0 computes them in every step.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    name: str
    unfreeze: Fraction
    lr_scale: PositiveFloat
    epoch_share: PositiveFloat
    feature_views: NonNegativeInt = 0


def split_epochs(epochs: int, stages: Sequence[Stage]) -> list[int]:
    """Divides the epochs among the stages by their shares, at least one for each.

    Args:
        epochs: All epochs, at least as many as there are stages.
        stages: The plan.

    Returns:
        Epochs of each stage; their sum is `epochs`.
    """
    spare = epochs - len(stages)
    total = sum(stage.epoch_share for stage in stages)
    exact = [max(0.0, epochs * stage.epoch_share / total - 1) for stage in stages]
    scale = spare / sum(exact) if sum(exact) else 0.0
    floors = [int(value * scale) for value in exact]
    by_remainder = sorted(range(len(stages)), key=lambda i: floors[i] - exact[i] * scale)
    for index in by_remainder[: spare - sum(floors)]:
        floors[index] += 1
    return [1 + value for value in floors]


def unfreeze(model: "keras.Model", share: float) -> int:
    """Makes the last `share` of the backbone's layers trainable and freezes the others.

    A frozen batch normalisation uses and keeps its moving statistics. The backbone may be in a model within the model;
    a model without a layer named `backbone` is left as it is.

    Args:
        model: Any model; compile it afterwards.
        share: Share of the backbone's layers, 0-1.

    Returns:
        Number of trainable parameters.
    """
    backbone = _backbone(model)
    if backbone is not None:
        backbone.trainable = True
        learning = round(share * len(backbone.layers))
        for index, layer in enumerate(backbone.layers):
            layer.trainable = index >= len(backbone.layers) - learning
    return int(sum(variable.shape.num_elements() for variable in model.trainable_variables))


def _backbone(model: "keras.Model") -> "keras.Model | None":
    for layer in model.layers:
        if layer.name == "backbone":
            return layer
        if getattr(layer, "layers", None) and (within := _backbone(layer)) is not None:
            return within
    return None


def problems(experiment: "Experiment") -> Iterator[str]:
    """Yields what is wrong with the plan beside the rest of a configuration."""
    stages = experiment.finetune.get("stages")
    if stages is None:
        return
    if not has_backbone(experiment.model):
        with_backbone = [s.target.split(".")[-2] for s in siblings("model") if "weights" in s.options]
        yield (
            f"`finetune={experiment.option('finetune')}` needs a model with a backbone: "
            f"model={' or model='.join(with_backbone)}. Received: model={experiment.option('model')}. "
            "Use finetune=none."
        )
    if experiment.epochs < len(stages):
        yield f"`epochs` must give each of the {len(stages)} stages one epoch. Received: epochs={experiment.epochs}."
