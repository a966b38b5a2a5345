"""How much each channel matters, judged by training images: what the loss would change if the channel were silent.

Called by `inheritance` for an option of pruning that asks for it. Weights alone do not tell what a channel is good for;
the gradient does. It must not know how many channels are to be removed.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from fer_exp.data import sample
from fer_exp.data.inputs import Specs, read
from fer_exp.dataset import Split
from fer_exp.network import named
from fer_exp.network.slim.channel_groups import MAKING, Channels, Ports

log = logging.getLogger(__name__)

_IMAGES = 4096  # of which the gradient is taken: a sixth of an epoch's work for FER2013
_BATCH = 64


@dataclass(frozen=True, eq=False)
class _Gate:
    """Variables that silence the channels of one layer when they are zero."""

    numbers: np.ndarray
    variables: tuple[keras.Variable, ...]


def scores(model: keras.Model, channels: Channels, split: Split, seed: int) -> list[np.ndarray | None]:
    """Returns the score of each channel of each group, >= 0: the change of the loss, to first order.

    The gradient of a batch times the value of what scales and shifts a channel (batch normalisation; kernel and bias
    where there is none) is what silencing it would change; the mean of the sizes over the batches counts. Layers that
    share a channel each have an opinion, of which the mean is taken; None stands for a group that no layer has one of.

    Args:
        model: Functional, built: inputs (batch, ...) -> logits.
        channels: What `channel_groups.analyse` found in this model.
        split: Training images; a stratified sample of at most 4,096 is looked at, without augmentation.
        seed: Of the sample and its order.

    Source:
        Molchanov et al., "Importance Estimation for Neural Network Pruning", 2019, https://arxiv.org/abs/1906.10771.
    """
    gates = _gates(channels)
    variables = [variable.value for gate in gates for variable in gate.variables]
    rows = np.random.default_rng(seed).permutation(sample.rows(split.labels, _IMAGES, seed))
    gradients = _gradients(model, variables, split.specs)
    changes = [np.zeros(len(gate.numbers)) for gate in gates]
    targets = np.eye(model.output_shape[-1], dtype=np.float32)[split.labels] if split.targets is None else split.targets
    log.info("weighs %s channels by %s training images", f"{channels.count:,}", f"{len(rows):,}")
    starts = range(0, len(rows), _BATCH)
    for start in starts:
        chosen = np.sort(rows[start : start + _BATCH])
        batch = {name: tf.constant(values, tf.float32) for name, values in read(split.inputs, chosen).items()}
        slopes = iter(gradients(batch, tf.constant(targets[chosen], tf.float32)))
        for gate, change in zip(gates, changes, strict=True):
            products = [next(slopes).numpy() * np.array(variable.numpy(), np.float64) for variable in gate.variables]
            change += np.abs(sum(_of_each_channel(product, len(change)) for product in products))
    return channels.mean((gate.numbers, change / len(starts)) for gate, change in zip(gates, changes, strict=True))


def _gradients(
    model: keras.Model, variables: Sequence[tf.Variable], specs: Specs
) -> Callable[[dict[str, tf.Tensor], tf.Tensor], list[tf.Tensor]]:
    """Returns a function of inputs and targets: the slope of the mean cross-entropy along each variable."""

    def slopes(batch: dict[str, tf.Tensor], targets: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = tf.cast(named.call(model, batch), tf.float32)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        return list(tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO))

    batch = {name: tf.TensorSpec((None, *spec.shape), tf.float32) for name, spec in specs.items()}
    return tf.function(slopes, [batch, tf.TensorSpec((None, None), tf.float32)])


def _gates(channels: Channels) -> list[_Gate]:
    """Returns the layers that are asked: batch normalisation, and what makes or filters channels that have none."""
    found = [_Gate(port.outputs, _scale_and_shift(port.layer)) for port in channels.ports if _normalises(port)]
    normalised = np.zeros(channels.count, bool)
    for gate in found:
        normalised[gate.numbers] = True
    bare = [port for port in channels.ports if _filters(port) and not normalised[port.outputs].any()]
    return [*found, *(_Gate(port.outputs, _kernel_and_bias(port.layer)) for port in bare)]


def _normalises(port: Ports) -> bool:
    return isinstance(port.layer, layers.BatchNormalization) and bool(_scale_and_shift(port.layer))


def _filters(port: Ports) -> bool:
    return isinstance(port.layer, (*MAKING, layers.DepthwiseConv2D))


def _scale_and_shift(layer: layers.Layer) -> tuple[keras.Variable, ...]:
    return tuple(variable for variable in (layer.gamma, layer.beta) if variable is not None)


def _kernel_and_bias(layer: layers.Layer) -> tuple[keras.Variable, ...]:
    kernel = layer.pointwise_kernel if isinstance(layer, layers.SeparableConv2D) else layer.kernel
    return (kernel,) if layer.bias is None else (kernel, layer.bias)


def _of_each_channel(product: np.ndarray, count: int) -> np.ndarray:
    """Returns the sum for each output channel; they come last, those of a depthwise kernel in the last two axes."""
    return np.asarray(product.reshape(-1, count).sum(axis=0))
