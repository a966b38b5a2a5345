"""Small built models with weights of their own in every place, and a way to silence channels in them."""

from functools import cache

import keras
import numpy as np
from contracts import compose

from fer_exp.data.inputs import image
from fer_exp.network.slim.channel_groups import Channels
from fer_exp.options import config

SHAPE = (32, 32, 1)
SMALL = {
    "cnn": ("model=cnn", "model.widths=[8,12,8,16]", "model.head_units=24"),
    "cnn without batch norm": (
        *("model=cnn", "model.widths=[8,12,8,16]", "model.head_units=24", "model.batch_norm=false"),
    ),
    "fer_resnet": (
        *("model=fer_resnet", "model.input_size=32", "model.crop=null", "model.stem_width=8"),
        *("model.widths=[8,16]", "model.depths=[2,2]"),
    ),
    "mobilenet_v1": ("model=mobilenet_v1", "model.alpha=0.25", "model.input_size=32", "model.weights=null"),
    "mobilenet_v2": ("model=mobilenet_v2", "model.alpha=0.35", "model.input_size=32", "model.weights=null"),
}


@cache
def small(name: str) -> keras.Model:
    """Returns a model whose scales, shifts and statistics are not those it begins with; not to be changed."""
    return built(*SMALL[name])


def built(*overrides: str) -> keras.Model:
    """Returns a fresh one."""
    random = np.random.default_rng(0)
    model = config.build(compose(*overrides)["model"], image(SHAPE), 7)
    model.set_weights(
        [w + random.uniform(0.1, 0.5, w.shape) if w.ndim == 1 else w + 0.02 * w.std() for w in model.get_weights()]
    )
    return model


def images(count: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, *SHAPE)).astype(np.float32)


def some(channels: Channels, seed: int = 0) -> list[np.ndarray]:
    """Returns for each group a random half of its positions."""
    random = np.random.default_rng(seed)
    sizes = [len(group.channels) for group in channels.groups]
    return [np.sort(random.permutation(size)[: size // 2]) for size in sizes]


def silenced(model: keras.Model, channels: Channels, kept: list[np.ndarray]) -> keras.Model:
    """Returns a twin in which all that is not kept gives zeros, whichever layer it comes from."""
    twin = keras.models.clone_model(model, recursive=True)
    twin.set_weights(model.get_weights())
    stays = channels.mask(kept)
    for port in channels.ports:
        gone = np.flatnonzero(~stays[port.outputs])
        layer = twin
        for part in port.path.split("/"):
            layer = layer.get_layer(part)
        names = [variable.name for variable in layer.weights]
        weights = [np.array(variable) for variable in layer.weights]
        for name, weight in zip(names, weights, strict=True):
            if name in ("gamma", "beta", "bias"):
                weight[gone] = 0
            elif name in ("kernel", "pointwise_kernel") and port.makes:
                weight[..., gone] = 0
        layer.set_weights(weights)
    return twin
