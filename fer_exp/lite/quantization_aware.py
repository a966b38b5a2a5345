"""Quantisation-aware training: a network that computes as its int8 file will, and learns to do it well.

Called by the `int8_qat` export. Batch normalisation is folded first. Then every kernel is rounded to the int8 grid of
its output channel, and every activation to the grid of its tensor, in exactly those places where the converter puts
integers. Gradients pass through the rounding. It must not know data sets, losses or files.

Source:
    Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018,
    https://arxiv.org/abs/1712.05877.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from fer_exp.errors import ExportError
from fer_exp.lite import folding
from fer_exp.lite.folding import AFFINE, Network, Step

Range = tuple[float, float]

_PIXELS: Range = (0.0, 255.0)
_MOMENTUM = 0.99  # of the ranges, per step
_BATCH = 50  # images at a time while calibrating
_LEVELS = 127  # of a kernel, on either side of zero
_NEW_VALUES = (*AFFINE, layers.Add, layers.ReLU, layers.GlobalAveragePooling2D, layers.Rescaling)
# Rounded anew, because they average, or because the converter does not see the range through them.
_SAME_RANGE = (layers.AveragePooling2D, layers.Resizing, layers.CenterCrop, layers.Cropping2D)
_SAME_VALUES = (
    layers.MaxPooling2D,
    layers.Flatten,
    layers.Reshape,
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.ZeroPadding2D,
    layers.Concatenate,
)


class FakeQuantize(layers.Layer):
    """Rounds a tensor to 256 levels between a smallest and a largest value, of which one is exactly 0.

    In training the ends follow those of the batches, if they are free to.

    Args:
        ends: The smallest and the largest value to begin with; 0 lies between them.
        learns: Whether the ends move in training.
    """

    def __init__(self, ends: Range, learns: bool, **options: Any) -> None:
        super().__init__(**options)
        self._ends, self._learns = ends, learns

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the two ends."""
        smallest, largest = (keras.initializers.Constant(end) for end in self._ends)
        self.smallest = self.add_weight(shape=(), initializer=smallest, trainable=False, name="smallest")
        self.largest = self.add_weight(shape=(), initializer=largest, trainable=False, name="largest")

    def call(self, inputs: tf.Tensor, training: bool | None = None, observe: bool = True) -> tf.Tensor:
        """Rounds; `observe` tells whether the ends follow this tensor."""
        if training and observe and self._learns:
            for end, seen in ((self.smallest, tf.reduce_min(inputs)), (self.largest, tf.reduce_max(inputs))):
                target = tf.minimum(seen, 0.0) if end is self.smallest else tf.maximum(seen, 0.0)
                end.assign(_MOMENTUM * end + (1.0 - _MOMENTUM) * target)
        smallest, largest = tf.convert_to_tensor(self.smallest), tf.convert_to_tensor(self.largest)
        return tf.quantization.fake_quant_with_min_max_vars(inputs, smallest, largest, num_bits=8)

    @property
    def ends(self) -> Range:
        """The smallest and the largest value now."""
        return float(self.smallest.numpy()), float(self.largest.numpy())


def on_grid(kernel: tf.Tensor, depthwise: bool = False) -> tf.Tensor:
    """Rounds a kernel to 255 levels of each output channel, symmetric around 0; the largest weight stays as it is.

    Args:
        kernel: float32, (..., output channels); of a depthwise convolution (height, width, channels, multiplier).
        depthwise: Whether it is one.

    Returns:
        Rounded kernel, whose gradient is that of the kernel.
    """
    axes = [0, 1] if depthwise else list(range(len(kernel.shape) - 1))
    step = tf.reduce_max(tf.abs(kernel), axis=axes, keepdims=True) / _LEVELS
    rounded = tf.round(tf.math.divide_no_nan(kernel, step)) * step
    return kernel + tf.stop_gradient(rounded - kernel)


class _Conv2D(layers.Conv2D):
    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return super().convolution_op(inputs, on_grid(tf.convert_to_tensor(kernel)))


class _DepthwiseConv2D(layers.DepthwiseConv2D):
    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        output = keras.ops.depthwise_conv(
            inputs,
            on_grid(tf.convert_to_tensor(self.kernel), depthwise=True),
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        return output + self.bias if self.use_bias else output


class _Dense(layers.Dense):
    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        output = tf.matmul(inputs, on_grid(tf.convert_to_tensor(self.kernel)))
        return output + self.bias if self.use_bias else output


_ROUNDED: dict[type[layers.Layer], type[layers.Layer]] = {
    layers.Conv2D: _Conv2D,
    layers.DepthwiseConv2D: _DepthwiseConv2D,
    layers.Dense: _Dense,
}


@dataclass(frozen=True)
class QuantizationAware:
    """A network on its way to int8.

    Attributes:
        model: To be trained; (batch, height, width, channels) in [0, 255] -> logits (batch, classes), rounded as in the
            file.
        network: The folded network that it was made of.
        made: Layers of the model by the number of the tensor they make.
        ranges: Its roundings by the number of the tensor.
    """

    model: keras.Model
    network: Network
    made: dict[int, layers.Layer]
    ranges: dict[int, FakeQuantize]

    def deployed(self) -> keras.Model:
        """Returns a model of plain layers with kernels on the grid, in which the trained ranges are constants."""
        steps = []
        for step in self.network.steps:
            weights = [np.array(variable.numpy()) for variable in self.made[step.output].weights]
            if weights:
                weights[0] = on_grid(tf.constant(weights[0]), step.is_a(layers.DepthwiseConv2D)).numpy()
            steps.append(dataclasses.replace(step, weights=tuple(weights)))
        network = dataclasses.replace(self.network, steps=tuple(steps))
        ranges = {tensor: FakeQuantize(layer.ends, learns=False) for tensor, layer in self.ranges.items()}
        model, _ = folding.built(network, after=_rounding(_places(network), ranges))
        return model


def prepare(model: keras.Model, images: np.ndarray) -> QuantizationAware:
    """Makes the network that is to be trained.

    Args:
        model: Trained, float32, (batch, height, width, channels) in [0, 255] -> logits; it is left as it is.
        images: uint8 (n, height, width, channels), from which the ranges of the activations are taken.

    Raises:
        ExportError: If the model has a layer of which this module does not know what the converter makes.
    """
    network = folding.folded(folding.read(model))
    places = _places(network)
    known = _known_ranges(network)
    unknown = [tensor for tensor, owner in places.items() if tensor == owner and tensor not in known]
    owners = set(places.values())
    ranges = {tensor: FakeQuantize(ends, learns=False) for tensor, ends in known.items() if tensor in owners}
    for tensor, ends in _observed(network, unknown, images).items():
        ranges[tensor] = FakeQuantize(ends, learns=True)
    rounded, made = folding.built(network, _with_rounded_kernel, _rounding(places, ranges))
    return QuantizationAware(rounded, network, made, ranges)


def _with_rounded_kernel(step: Step) -> layers.Layer:
    kind: Any = next((rounded for plain, rounded in _ROUNDED.items() if step.is_a(plain)), step.kind)
    layer: layers.Layer = kind.from_config(step.config)
    return layer


def _rounding(places: dict[int, int], ranges: dict[int, FakeQuantize]) -> Callable[[int, Any], Any]:
    """Returns what `folding.built` does to each tensor; one that shares the range of another does not move it."""

    def after(number: int, tensor: Any) -> Any:
        owner = places.get(number)
        return tensor if owner is None else ranges[owner](tensor, observe=owner == number)

    return after


def _places(network: Network) -> dict[int, int]:
    """Returns the tensors that are rounded, each with the one whose range it has.

    Raises:
        ExportError: If there is a layer whose rounding is not known.
    """
    places, owners = {0: 0}, {0: 0}
    for step in network.steps:
        tensor, from_owners = step.output, {owners[number] for number in step.inputs if number in owners}
        if _is_fused(network, step) and not _is_bent(step):
            continue
        if step.is_a(*_NEW_VALUES) and not _is_bent(step):
            places[tensor] = owners[tensor] = tensor
        elif step.is_a(*_SAME_RANGE, *_SAME_VALUES) and len(from_owners) == 1:
            (owners[tensor],) = from_owners
            if step.is_a(*_SAME_RANGE):
                places[tensor] = owners[tensor]
        else:
            raise ExportError(_not_understood(step))
    return places


def _is_fused(network: Network, step: Step) -> bool:
    """Returns whether a layer becomes one operation with the rectifier behind it, whose output alone is rounded."""
    readers = network.readers(step.output)
    return step.is_a(*AFFINE, layers.Add) and len(readers) == 1 and readers[0].is_a(layers.ReLU)


def _is_bent(step: Step) -> bool:
    """Returns whether a layer ends in an activation that is no plain rectifier."""
    bent = step.config.get("negative_slope") or step.config.get("threshold")
    return bool(bent) or step.config.get("activation", "linear") != "linear"


def _not_understood(step: Step) -> str:
    names = sorted(kind.__name__ for kind in (*_NEW_VALUES, *_SAME_RANGE, *_SAME_VALUES))
    activation = step.config.get("activation", "linear")
    return (
        f"`{step.name}` ({step.kind.__name__}{'' if activation == 'linear' else f', activation {activation}'}) is a "
        "layer that quantisation-aware training does not understand: it knows BatchNormalization, SeparableConv2D, "
        f"{', '.join(names)}, and concatenations of one tensor with itself. Leave `int8_qat` out of export.kinds."
    )


def _known_ranges(network: Network) -> dict[int, Range]:
    """Returns the ranges of what is made of the pixels by arithmetic alone."""
    known = {0: _PIXELS}
    for step in network.steps:
        if step.inputs[0] not in known or not step.is_a(layers.Rescaling, *_SAME_RANGE, *_SAME_VALUES):
            continue
        low, high = known[step.inputs[0]]
        if step.is_a(layers.Rescaling):
            scale, offset = step.config["scale"], step.config["offset"]
            low, high = sorted((low * scale + offset, high * scale + offset))
        known[step.output] = (min(low, 0.0), max(high, 0.0))
    return known


def _observed(network: Network, tensors: list[int], images: np.ndarray) -> dict[int, Range]:
    """Returns the smallest and the largest value of tensors of the float network, 0 among them."""
    outputs: dict[int, Any] = {}

    def after(number: int, tensor: Any) -> Any:
        outputs[number] = tensor
        return tensor

    model, _ = folding.built(network, after=after)
    forward = tf.function(keras.Model(model.inputs, [outputs[tensor] for tensor in tensors]), reduce_retracing=True)
    ends = np.zeros((len(tensors), 2))
    for start in range(0, len(images), _BATCH):
        found = forward(tf.constant(images[start : start + _BATCH], tf.float32), training=False)
        ends[:, 0] = np.minimum(ends[:, 0], [float(tf.reduce_min(tensor)) for tensor in found])
        ends[:, 1] = np.maximum(ends[:, 1], [float(tf.reduce_max(tensor)) for tensor in found])
    return {tensor: (low, max(high, low + 1e-6)) for tensor, (low, high) in zip(tensors, ends.tolist(), strict=True)}
