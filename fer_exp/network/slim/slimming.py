"""The slim model: the same network without some of its channels, and what it would cost.

Called by `channel_choice` to weigh a choice and by `inheritance` to make it true. The channels are gone from the
architecture, with all the weights that read or write them. It must not know why they were chosen.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from fer_exp.network import cost
from fer_exp.network.slim.channel_groups import Channels, Ports


def slim(model: keras.Model, channels: Channels, kept: Sequence[np.ndarray]) -> keras.Model:
    """Builds the network anew with the channels that stay, and gives it their weights.

    Every layer keeps name, class, precision and options. If all that is removed gave zeros, nothing changes in what
    the model computes.

    Args:
        model: Functional or Sequential, built, not compiled.
        channels: What `channel_groups.analyse` found in this model.
        kept: For each group the positions of the channels that stay, ascending, at least one.
    """
    stays = channels.mask(kept)
    ports = {id(port.layer): port for port in channels.ports}
    twins: list[tuple[layers.Layer, layers.Layer]] = []

    def clone(layer: layers.Layer) -> layers.Layer:
        config = layer.get_config()
        if id(layer) in ports:
            config |= _resized(ports[id(layer)], stays)
        twin = type(layer).from_config(config)
        twins.append((layer, twin))
        return twin

    slimmed = keras.models.clone_model(model, clone_function=clone, recursive=True)
    for layer, twin in twins:
        if layer.weights:
            twin.set_weights(_weights(ports[id(layer)], stays))
    return slimmed


def multiply_adds(channels: Channels, kept: Sequence[np.ndarray]) -> int:
    """Counts the multiply-adds of one image in a slim model, without building it.

    Args:
        channels: Of the whole model.
        kept: As for `slim`.
    """
    stays = channels.mask(kept)
    total = 0.0
    for port in channels.ports:
        whole = cost.of_layer(port.layer)
        read = float(stays[port.inputs].mean())
        total += read * whole.depthwise
        if port.makes:
            made = float(stays[port.outputs].mean())
            total += read * made * (whole.total - whole.depthwise)
    return round(total)


def _resized(port: Ports, stays: np.ndarray) -> dict[str, object]:
    """Returns the options of a layer that say how many channels it has."""
    count = int(stays[port.outputs].sum())
    if isinstance(port.layer, layers.Dense):
        return {"units": count}
    if isinstance(port.layer, layers.Reshape):
        return {"target_shape": (*port.layer.target_shape[:-1], count)}
    return {"filters": count} if port.makes else {}


def _weights(port: Ports, stays: np.ndarray) -> list[np.ndarray]:
    """Returns the weights of a layer without what belongs to removed channels."""
    read, written = np.flatnonzero(stays[port.inputs]), np.flatnonzero(stays[port.outputs])
    layer = port.layer
    weights: list[np.ndarray] = [np.array(weight.numpy()) for weight in layer.weights]
    if isinstance(layer, layers.BatchNormalization):
        return [weight[written] for weight in weights]
    kernel, rest = weights[0], weights[1:]
    if isinstance(layer, layers.SeparableConv2D):
        between = np.flatnonzero(np.repeat(stays[port.inputs], layer.depth_multiplier))
        return [kernel[:, :, read], rest[0][:, :, between][..., written], *(bias[written] for bias in rest[1:])]
    if isinstance(layer, layers.DepthwiseConv2D):
        return [kernel[:, :, read], *(bias[written] for bias in rest)]
    return [kernel[..., read, :][..., written], *(bias[written] for bias in rest)]
