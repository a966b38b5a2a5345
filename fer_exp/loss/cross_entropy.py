"""Cross-entropy with label smoothing and class weights."""

from collections.abc import Sequence

import keras

from fer_exp.loss import ClassWeights, Objective, resolve_class_weights
from fer_exp.signature import OpenFraction


def build(
    class_counts: Sequence[int],
    class_names: Sequence[str],
    *,
    label_smoothing: OpenFraction,
    class_weights: ClassWeights,
    beta: OpenFraction,
) -> Objective:
    """Builds the objective.

    Args:
        class_counts: Training images of each class.
        class_names: Name of each class, in label order.
        label_smoothing: Share of the label that is spread over all classes, 0 <= share < 1.
        class_weights: null, auto (n / (classes * count)), effective_number, or a weight by class name such as
            {disgust: 2.0}.
        beta: Of class_weights=effective_number, 0 <= beta < 1; the larger, the more rare classes weigh.
    """
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    return Objective(loss, resolve_class_weights(class_weights, beta, class_counts, class_names))
