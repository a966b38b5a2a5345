"""Focal loss: cross-entropy that counts images less the better they are already classified."""

from collections.abc import Sequence

import keras

from fer_exp.loss import ClassWeights, Objective, resolve_class_weights
from fer_exp.signature import NonNegativeFloat, OpenFraction, PositiveFloat


def build(
    class_counts: Sequence[int],
    class_names: Sequence[str],
    *,
    gamma: NonNegativeFloat,
    alpha: PositiveFloat,
    label_smoothing: OpenFraction,
    class_weights: ClassWeights,
    beta: OpenFraction,
) -> Objective:
    """Builds the objective.

    Args:
        class_counts: Training images of each class.
        class_names: Name of each class, in label order.
        gamma: How fast well-classified images lose weight, >= 0; 0 is plain cross-entropy.
        alpha: Factor on the whole loss, > 0.
        label_smoothing: Share of the label that is spread over all classes, 0 <= share < 1.
        class_weights: null, auto (n / (classes * count)), effective_number, or a weight by class name such as
            {disgust: 2.0}.
        beta: Of class_weights=effective_number, 0 <= beta < 1; the larger, the more rare classes weigh.

    Source:
        Lin et al., 2017, https://arxiv.org/abs/1708.02002.
    """
    loss = keras.losses.CategoricalFocalCrossentropy(
        from_logits=True, gamma=gamma, alpha=alpha, label_smoothing=label_smoothing
    )
    return Objective(loss, resolve_class_weights(class_weights, beta, class_counts, class_names))
