"""What a model costs to run: its multiply-adds, by kind of layer.

Called to choose a precision, to choose channels, and for the record. Knows Keras layers, and no model by name.
"""

import math
from dataclasses import dataclass

import keras
from keras import layers


@dataclass(frozen=True)
class MultiplyAdds:
    """Multiply-adds of one image; additions of biases, normalisation, pooling and activations are not counted.

    Attributes:
        dense_spatial: In convolutions over more than one pixel that mix channels.
        fully_connected: In dense layers.
        pointwise: In 1x1 convolutions.
        depthwise: In convolutions that keep channels apart.
    """

    dense_spatial: int = 0
    fully_connected: int = 0
    pointwise: int = 0
    depthwise: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.dense_spatial + self.fully_connected + self.pointwise + self.depthwise

    def __add__(self, other: "MultiplyAdds") -> "MultiplyAdds":
        return MultiplyAdds(
            self.dense_spatial + other.dense_spatial,
            self.fully_connected + other.fully_connected,
            self.pointwise + other.pointwise,
            self.depthwise + other.depthwise,
        )


def multiply_adds(model: keras.Model) -> MultiplyAdds:
    """Counts the multiply-adds of a built model, models within it included.

    Args:
        model: Functional model, (batch, height, width, channels) -> any.
    """
    return sum((of_layer(layer) for layer in model.layers), MultiplyAdds())


def of_layer(layer: keras.layers.Layer) -> MultiplyAdds:
    """Counts the multiply-adds of a built layer, or of a model.

    Args:
        layer: Part of a functional model.
    """
    if isinstance(layer, keras.Model):
        return multiply_adds(layer)
    if isinstance(layer, layers.Dense):
        return MultiplyAdds(fully_connected=math.prod(layer.kernel.shape))
    if isinstance(layer, layers.SeparableConv2D):
        pixels = _pixels(layer)
        return MultiplyAdds(
            depthwise=pixels * math.prod(layer.depthwise_kernel.shape),
            pointwise=pixels * math.prod(layer.pointwise_kernel.shape),
        )
    if isinstance(layer, layers.DepthwiseConv2D):
        return MultiplyAdds(depthwise=_pixels(layer) * math.prod(layer.kernel.shape))
    if isinstance(layer, layers.Conv2D):
        cost = _pixels(layer) * math.prod(layer.kernel.shape)
        one_pixel = math.prod(layer.kernel_size) == 1
        return MultiplyAdds(pointwise=cost) if one_pixel else MultiplyAdds(dense_spatial=cost)
    return MultiplyAdds()


def _pixels(layer: keras.layers.Layer) -> int:
    """Pixels of the layer's output."""
    _, height, width, _ = layer.output.shape
    return int(height * width)
