"""Temperature scaling: one number, fitted on the validation split, that makes probabilities mean what they say.

Called by `experiment`, which puts it into the model before anything of it is kept, and by `evaluate`, which only looks.
Dividing all logits by a positive number changes no prediction.
"""

from typing import TYPE_CHECKING

import numpy as np

from fer_exp.assessment.metrics import Evaluation, evaluate
from fer_exp.errors import ConfigError

if TYPE_CHECKING:
    import keras

_WIDEST = 20.0  # and its inverse: further away the likelihood is flat, and a model useless
_LEAST = float(np.finfo(np.float32).tiny)


def fit(evaluation: Evaluation) -> float:
    """Returns the temperature under which the labels are most probable.

    Args:
        evaluation: Of the validation split; its probabilities are the softmax of the logits, which is as good as them.

    Source:
        Guo et al., "On Calibration of Modern Neural Networks", 2017, https://arxiv.org/abs/1706.04599.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    logits, labels = _logits(evaluation), evaluation.labels
    rows = np.arange(len(labels))

    def surprise(log_temperature: float) -> float:
        return -float(np.mean(log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels]))

    most = np.log(_WIDEST)
    found = minimize_scalar(surprise, bounds=(-most, most), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(found.x))


def scaled(evaluation: Evaluation, temperature: float) -> Evaluation:
    """Returns the same predictions with the probabilities that the divided logits give."""
    from scipy.special import softmax

    rows = softmax(_logits(evaluation) / temperature, axis=1)
    return evaluate(rows, evaluation.labels, evaluation.class_names)


def put_into(model: "keras.Model", temperature: float) -> None:
    """Divides the logits of a model by changing the weights of its last layer: nothing is added to the network.

    Args:
        model: Its last layer is `Dense` without an activation.
        temperature: > 0.
    """
    layer = _last(model)
    layer.set_weights([values / np.float32(temperature) for values in layer.get_weights()])


def check(model: "keras.Model") -> None:
    """Finds out before the training whether a temperature can be put into the model.

    Raises:
        ConfigError: If its last layer does not give logits that scale with its weights.
    """
    import keras

    layer = _last(model)
    if not isinstance(layer, keras.layers.Dense) or layer.activation is not keras.activations.linear:
        raise ConfigError(
            [
                "`evaluation.temperature_scaling` needs a model that ends in a dense layer without activation. "
                f"Received: {model.name}, which ends in {type(layer).__name__} `{layer.name}`. Use "
                "evaluation.temperature_scaling=false."
            ]
        )


def _last(model: "keras.Model") -> "keras.layers.Layer":
    """Returns the layer that makes the output."""
    return model.outputs[0]._keras_history.operation


def _logits(evaluation: Evaluation) -> np.ndarray:
    """Returns logits up to a number added to each row, float64 (n, classes)."""
    return np.log(np.maximum(evaluation.probabilities.astype(np.float64), _LEAST))
