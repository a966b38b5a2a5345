"""Where a Keras model looks: how much each place of an image adds to the logit of a class.

Called by `examine`. It knows no model by name: models inside of models are written out flat first, so that the maps of
a backbone can be reached.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from fer_exp.errors import ExportError

if TYPE_CHECKING:
    import keras

    from fer_exp.lite.folding import Network, Step

_LEAST_SIDE = 5  # cells of the map: fewer show no place


class NoMapError(Exception):
    """The model has no layer whose map could be shown; the message says why."""


class Explainer:
    """A model taken apart behind the last map that still shows places, 5 x 5 cells or more.

    Args:
        model: (batch, height, width, channels) in [0, 255] -> logits (batch, classes); it is left as it is.
        columns: Which logit each class has; None if they are in order.

    Raises:
        NoMapError: If nothing in it can be shown.
    """

    def __init__(self, model: "keras.Model", columns: Sequence[int] | None = None) -> None:
        import keras

        from fer_exp.lite import folding

        try:
            network = folding.read(model)
            flat, layers = folding.built(network)
        except (ExportError, TypeError, ValueError) as error:  # layers that take more than tensors, or are called twice
            raise NoMapError(f"{model.name} cannot be written out flat: {error}") from error
        cut = _last_map(network, layers)
        if cut is None:
            raise NoMapError(
                f"{model.name} has no map of {_LEAST_SIDE} x {_LEAST_SIDE} cells that all of it goes through."
            )
        self._columns = np.arange(model.output_shape[-1]) if columns is None else np.array(columns)
        tensor = layers[cut.output].output
        self.cells: tuple[int, int] = tuple(tensor.shape[1:3])
        self._trunk, self._head = keras.Model(flat.inputs[0], tensor), keras.Model(tensor, flat.outputs[0])
        self._seen = _share_seen(network, layers, cut)

    def maps(self, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Returns how much each place speaks for a class, float32 (n, height, width), the most of each image being 1.

        Activations times gradients, summed over channels, what speaks against the class left out: Grad-CAM without the
        averaging of gradients, which points to wrong places where a dense layer reads places one by one. Behind global
        average pooling both are the same. All zeros: nothing speaks for the class.

        Args:
            images: uint8 (n, height, width, channels).
            classes: int (n,), the class to explain in each image.

        Source:
            Selvaraju et al., "Grad-CAM", 2017, https://arxiv.org/abs/1610.02391; Draelos and Carin, "Use HiResCAM
            instead of Grad-CAM for faithful explanations", 2020, https://arxiv.org/abs/2011.08891.
        """
        import tensorflow as tf

        places = self._trunk(images.astype(np.float32), training=False)
        with tf.GradientTape() as tape:
            tape.watch(places)
            logits = self._head(places, training=False)
            chosen = tf.reduce_sum(tf.gather(logits, self._columns[classes], batch_dims=1))
        speaks = tf.nn.relu(tf.reduce_sum(places * tape.gradient(chosen, places), axis=-1)).numpy()
        most = speaks.max(axis=(1, 2), keepdims=True)
        shares = np.divide(speaks, most, out=np.zeros_like(speaks), where=most > 0)
        return np.stack([self._enlarged(share, images.shape[1:3]) for share in shares])

    def _enlarged(self, share: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Returns a map as large as the image; margins that the model crops away are 0."""
        height, width = (max(1, round(side * seen)) for side, seen in zip(size, self._seen, strict=True))
        within = np.asarray(Image.fromarray(share).resize((width, height), Image.Resampling.BICUBIC))
        whole = np.zeros(size, np.float32)
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        whole[top : top + height, left : left + width] = np.clip(within, 0, 1)
        return whole


def _last_map(network: "Network", layers: "dict[int, keras.layers.Layer]") -> "Step | None":
    """Returns the last step whose output is a map, and the only thing that all later steps read of all earlier ones."""
    found = None
    for number, step in enumerate(network.steps):
        made = {0, *(earlier.output for earlier in network.steps[: number + 1])}
        read = {tensor for later in network.steps[number + 1 :] for tensor in later.inputs}
        shape = layers[step.output].output.shape
        if made & read == {step.output} and len(shape) == 4 and min(shape[1:3]) >= _LEAST_SIDE:
            found = step
    return found


def _share_seen(network: "Network", layers: "dict[int, keras.layers.Layer]", cut: "Step") -> tuple[float, float]:
    """Returns the share of height and width that is left of an image where the model crops its centre."""
    import keras

    height, width = 1.0, 1.0
    for step in network.steps[: network.steps.index(cut)]:
        if step.is_a(keras.layers.CenterCrop):
            before, after = layers[step.output].input.shape, layers[step.output].output.shape
            height, width = height * after[1] / before[1], width * after[2] / before[2]
    return height, width
