"""How much each channel matters, judged by the weights alone.

Called by the options of `pruning`. Layers that share a channel (whose outputs are added, or which normalise or filter
it) each have an opinion; the mean counts. It must not know how many channels are to be removed.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import keras
import numpy as np
from keras import layers

from fer_exp.network.slim.channel_groups import MAKING, Channels, Ports

Score = Literal["batch_norm", "l1"]
Opinions = Iterator[tuple[np.ndarray, np.ndarray]]  # channels and their scores


def scores(channels: Channels, kind: Score) -> list[np.ndarray | None]:
    """Returns the score of each channel of each group, >= 0; None for a group that nothing is known of.

    Args:
        channels: Of a built model.
        kind: `batch_norm`: size of the scale of batch normalisation; `l1`: sum of the sizes of the kernel's values.

    Source:
        Liu et al., "Learning Efficient Convolutional Networks through Network Slimming", 2017,
        https://arxiv.org/abs/1708.06519; Li et al., "Pruning Filters for Efficient ConvNets", 2017,
        https://arxiv.org/abs/1608.08710.
    """
    opinions: dict[Score, Callable[[Ports], Opinions]] = {"batch_norm": _scales, "l1": _kernel_sums}
    return channels.mean(opinion for port in channels.ports for opinion in opinions[kind](port))


def _scales(port: Ports) -> Opinions:
    if isinstance(port.layer, layers.BatchNormalization) and port.layer.scale:
        yield port.outputs, np.abs(np.array(port.layer.gamma.numpy(), np.float64))


def _kernel_sums(port: Ports) -> Opinions:
    layer = port.layer
    if isinstance(layer, layers.DepthwiseConv2D):
        yield port.outputs, np.abs(np.array(layer.kernel.numpy(), np.float64)).sum(axis=(0, 1)).reshape(-1)
    elif isinstance(layer, layers.SeparableConv2D):
        yield port.outputs, _sums(layer.pointwise_kernel)
    elif isinstance(layer, MAKING):
        yield port.outputs, _sums(layer.kernel)


def _sums(kernel: keras.Variable) -> np.ndarray:
    sizes = np.abs(np.array(kernel.numpy(), np.float64))
    return np.asarray(sizes.reshape(-1, sizes.shape[-1]).sum(axis=0))
