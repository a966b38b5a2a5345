"""Logit-adjusted cross-entropy: the class frequencies are added to the logits in training, and left out afterwards.

So the network learns what the image says apart from how frequent the class is, and its plain logits answer as if all
classes were equally frequent: what is minimised is the balanced error.
"""

import math
from collections.abc import Sequence

import keras

from fer_exp.loss import ClassWeights, Objective, require_every_class, resolve_class_weights
from fer_exp.signature import NonNegativeFloat, OpenFraction


def build(
    class_counts: Sequence[int],
    class_names: Sequence[str],
    *,
    tau: NonNegativeFloat,
    label_smoothing: OpenFraction,
    class_weights: ClassWeights,
    beta: OpenFraction,
) -> Objective:
    """Builds the objective.

    Args:
        class_counts: Training images of each class.
        class_names: Name of each class, in label order.
        tau: Factor on the logarithm of the class frequencies, >= 0; 0 is plain cross-entropy, 1 aims at equal classes.
        label_smoothing: Share of the label that is spread over all classes, 0 <= share < 1.
        class_weights: null, auto (n / (classes * count)), effective_number, or a weight by class name such as
            {disgust: 2.0}.
        beta: Of class_weights=effective_number, 0 <= beta < 1; the larger, the more rare classes weigh.

    Raises:
        ConfigError: If a class has no training images.

    Source:
        Menon et al., "Long-tail learning via logit adjustment", 2021, https://arxiv.org/abs/2007.07314, equation 10.
    """
    require_every_class("`loss` logit_adjusted", class_counts, class_names)
    offsets = tuple(tau * math.log(count / sum(class_counts)) for count in class_counts)
    weights = resolve_class_weights(class_weights, beta, class_counts, class_names)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    return Objective(loss, weights, offsets)
