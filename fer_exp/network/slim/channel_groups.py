"""Which channels of a network belong together: what is added to each other can only be removed together.

Called by `slimming`, `channel_scores` and `channel_choice`. Every channel of every tensor gets a number; layers hand
numbers on (pooling), join them (addition), repeat them (flattening) or make new ones (convolution). Knows Keras layers,
and no model by name; it must not know why a channel is removed.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from fer_exp.errors import PruningError
from fer_exp.network.slim.model_calls import calls, references

MAKING = (layers.Dense, layers.SeparableConv2D, layers.Conv2D)  # the output channels are new ones
_ADDING = (layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)
_KEEPING = (
    *(layers.Activation, layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Identity, layers.ActivityRegularization),
    *(layers.Dropout, layers.SpatialDropout2D, layers.GaussianDropout, layers.GaussianNoise, layers.AlphaDropout),
    *(layers.MaxPooling2D, layers.AveragePooling2D, layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D),
    *(layers.ZeroPadding2D, layers.Cropping2D, layers.CenterCrop, layers.Resizing, layers.UpSampling2D),
)
_UNDERSTOOD = (
    *MAKING, layers.DepthwiseConv2D, layers.BatchNormalization, layers.Rescaling, layers.Flatten, layers.Reshape,
    layers.Concatenate, *_ADDING, *_KEEPING,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Ports:
    """The channels that a layer reads and writes.

    Attributes:
        path: Name of the layer, behind those of the models it is in: `backbone/conv1`.
        layer: The layer.
        inputs: Number of each input channel.
        outputs: Number of each output channel; equal numbers are one and the same channel.
        makes: Whether the output channels are made here.
    """

    path: str
    layer: layers.Layer
    inputs: np.ndarray
    outputs: np.ndarray
    makes: bool


@dataclass(frozen=True, eq=False)
class Group:
    """Layers that share their output channels, each of which can be removed from all of them.

    Attributes:
        paths: Of the layers that make the channels.
        channels: Numbers of the channels, in the order of the first of these layers.
    """

    paths: tuple[str, ...]
    channels: np.ndarray


@dataclass(frozen=True, eq=False)
class Channels:
    """The channels of a model.

    Attributes:
        count: Of all numbers.
        ports: Of the layers that have weights or a shape that depend on channels, in the order of the model.
        groups: What channels can be removed from; those of inputs and outputs are in none.
    """

    count: int
    ports: tuple[Ports, ...]
    groups: tuple[Group, ...]

    def mask(self, kept: Sequence[np.ndarray]) -> np.ndarray:
        """Returns for each number whether the channel stays, bool (count,).

        Args:
            kept: For each group the positions of the channels that stay.
        """
        stays = np.ones(self.count, bool)
        for group, positions in zip(self.groups, kept, strict=True):
            stays[group.channels] = False
            stays[group.channels[positions]] = True
        return stays

    def mean(self, opinions: Iterable[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray | None]:
        """Returns for each group the mean of what is said of each channel; None if nothing is said of some of them.

        Args:
            opinions: Numbers of channels, and a value for each.
        """
        total, count = np.zeros(self.count), np.zeros(self.count)
        for numbers, values in opinions:
            np.add.at(total, numbers, values)
            np.add.at(count, numbers, 1)
        of_groups = [group.channels for group in self.groups]
        return [total[numbers] / count[numbers] if count[numbers].all() else None for numbers in of_groups]


def analyse(model: keras.Model) -> Channels:
    """Finds the groups of a built model, models within it included.

    Args:
        model: Functional or Sequential, channels last.

    Raises:
        PruningError: If it has a layer of a kind that is not understood.
    """
    walk = _Walk()
    inputs = [_Tensor(tuple(tensor.shape), walk.new(tensor.shape[-1], fixed=True)) for tensor in model.inputs]
    for output in walk.through(model, inputs, ""):
        walk.fix(output.channels)
    return walk.found()


@dataclass(frozen=True, eq=False)
class _Tensor:
    """A tensor: its shape with the batch, and the number of each channel, which is its last axis."""

    shape: tuple[int | None, ...]
    channels: np.ndarray


class _Walk:
    """A walk through a model along its calls; numbers that turn out to be one channel are joined on the way."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._fixed: list[int] = []
        self._ports: dict[int, tuple[str, layers.Layer, np.ndarray, np.ndarray, bool]] = {}

    def new(self, count: int, fixed: bool = False) -> np.ndarray:
        """Returns numbers that no channel has yet."""
        numbers = np.arange(len(self._parent), len(self._parent) + count)
        self._parent += numbers.tolist()
        if fixed:
            self.fix(numbers)
        return numbers

    def fix(self, numbers: np.ndarray) -> None:
        """Keeps channels from being removed."""
        self._fixed += numbers.tolist()

    def join(self, one: np.ndarray, other: np.ndarray) -> None:
        """Makes channels one and the same, pair by pair."""
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            first, second = sorted((self._root(a), self._root(b)))
            self._parent[second] = first

    def through(self, model: keras.Model, inputs: Sequence[_Tensor], prefix: str) -> list[_Tensor]:
        """Follows the calls of a model."""
        if isinstance(model, keras.Sequential):
            tensors = list(inputs)
            for layer in model.layers:
                tensors = self._call(layer, tensors, prefix)
            return tensors
        config = model.get_config()
        operations = {operation.name: operation for operation in model.operations}
        known = dict(zip(references(config["input_layers"]), inputs, strict=True))
        waiting = list(calls(config))
        while waiting:  # a layer that is called twice may stand before one whose output its second call needs
            ready = [call for call in waiting if set(call[2]) <= known.keys()]
            if not ready:
                raise RuntimeError(f"the calls of model {model.name} cannot be put in order: {waiting}")
            waiting = [call for call in waiting if call not in ready]
            for name, node, taken in ready:
                outputs = self._call(operations[name], [known[reference] for reference in taken], prefix)
                known |= {(name, node, index): tensor for index, tensor in enumerate(outputs)}
                if isinstance(operations[name], keras.Model):  # as an output of the whole its calls count from 1
                    known |= {(name, node + 1, index): tensor for index, tensor in enumerate(outputs)}
        return [known[reference] for reference in references(config["output_layers"])]

    def found(self) -> Channels:
        """Returns what the walk has found."""
        roots = np.array([self._root(number) for number in range(len(self._parent))])
        ports = tuple(
            Ports(path, layer, roots[inputs], roots[outputs], makes)
            for path, layer, inputs, outputs, makes in self._ports.values()
        )
        return Channels(len(roots), ports, tuple(_groups(ports, set(roots[self._fixed].tolist()))))

    def _root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def _call(self, layer: layers.Layer, inputs: Sequence[_Tensor], prefix: str) -> list[_Tensor]:
        path = f"{prefix}{layer.name}"
        if isinstance(layer, keras.Model):
            for tensor in inputs:
                self.fix(tensor.channels)  # the input of a model within keeps its shape
            return self.through(layer, inputs, f"{path}/")
        if isinstance(layer, _ADDING) or (isinstance(layer, layers.Concatenate) and not _along_channels(layer, inputs)):
            for other in inputs[1:]:
                self._require(len(other.channels) == len(inputs[0].channels), layer, path, "as many channels each")
                self.join(inputs[0].channels, other.channels)
            channels = inputs[0].channels
        elif isinstance(layer, layers.Concatenate):
            channels = np.concatenate([tensor.channels for tensor in inputs])
        else:
            channels = self._of_one(layer, inputs[0], path)
        return [_Tensor(_output_shape(layer, inputs), channels)]

    def _of_one(self, layer: layers.Layer, tensor: _Tensor, path: str) -> np.ndarray:
        """Returns the output channels of a layer that takes one tensor."""
        self._require(isinstance(layer, _UNDERSTOOD), layer, path, "a kind of layer whose channels are understood")
        channels_last = getattr(layer, "data_format", "channels_last") == "channels_last"
        self._require(channels_last, layer, path, "data_format=channels_last")
        if isinstance(layer, MAKING):
            self._require(getattr(layer, "groups", 1) == 1, layer, path, "groups=1")
            made = self._weighted(layer, path, tensor.channels, None)
            self._fix_shares(layer, made)
            return made
        if isinstance(layer, layers.DepthwiseConv2D):
            repeated = np.repeat(tensor.channels, layer.depth_multiplier)
            return self._weighted(layer, path, tensor.channels, repeated)
        if isinstance(layer, layers.BatchNormalization):
            self._require(layer.axis in (-1, len(tensor.shape) - 1), layer, path, "the last axis")
            return self._weighted(layer, path, tensor.channels, tensor.channels)
        if isinstance(layer, layers.Flatten | layers.Reshape):
            return self._reshaped(layer, tensor, path)
        if isinstance(layer, layers.Rescaling):
            self._require(np.ndim(layer.scale) == np.ndim(layer.offset) == 0, layer, path, "one scale for all channels")
        self._fix_shares(layer, tensor.channels)
        return tensor.channels

    def _fix_shares(self, layer: layers.Layer, channels: np.ndarray) -> None:
        """Keeps channels that are shares of a sum over all of them."""
        if getattr(layer, "activation", None) is keras.activations.softmax:
            self.fix(channels)

    def _weighted(self, layer: layers.Layer, path: str, inputs: np.ndarray, outputs: np.ndarray | None) -> np.ndarray:
        """Notes a layer; without `outputs` it makes channels of its own, the same ones in each of its calls."""
        if id(layer) in self._ports:
            _, _, inputs_before, outputs_before, _ = self._ports[id(layer)]
            self.join(inputs_before, inputs)
            return outputs_before if outputs is None else outputs
        makes = outputs is None
        if outputs is None:
            outputs = self.new(layer.units if isinstance(layer, layers.Dense) else layer.filters)
        self._ports[id(layer)] = (path, layer, inputs, outputs, makes)
        return outputs

    def _reshaped(self, layer: layers.Layer, tensor: _Tensor, path: str) -> np.ndarray:
        """Lets the numbers take the way of the values; each place must then hold the same channels."""
        shape, target = tensor.shape[1:], _output_shape(layer, [tensor])[1:]
        self._require(None not in (*shape, *target), layer, path, "a fixed shape")
        moved = np.broadcast_to(tensor.channels, [size or 0 for size in shape]).reshape([size or 0 for size in target])
        rows = moved.reshape(-1, moved.shape[-1])
        self._require(bool((rows == rows[0]).all()), layer, path, "a shape that keeps the channels of a pixel together")
        self._ports[id(layer)] = (path, layer, tensor.channels, rows[0], False)
        return rows[0]

    @staticmethod
    def _require(holds: bool, layer: layers.Layer, path: str, rule: str) -> None:
        if not holds:
            raise PruningError(
                f"`pruning` cannot find the channels that belong together: layer `{path}` ({type(layer).__name__}) "
                f"must have {rule}. Use pruning=none, or teach fer_exp/network/slim/channel_groups.py this layer."
            )


def _groups(ports: Sequence[Ports], fixed: set[int]) -> Iterator[Group]:
    """Puts the layers together that share a channel, and leaves those out that have a fixed one."""
    sets: list[tuple[list[Ports], set[int]]] = []
    for port in (port for port in ports if port.makes):
        layers_of, numbers = [port], set(port.outputs.tolist())
        for other in [entry for entry in sets if entry[1] & numbers]:
            sets.remove(other)
            layers_of, numbers = [*other[0], *layers_of], numbers | other[1]
        sets.append((layers_of, numbers))
    for layers_of, numbers in sorted(sets, key=lambda entry: ports.index(entry[0][0])):
        if not numbers & fixed:
            in_order = dict.fromkeys(itertools.chain(*(port.outputs.tolist() for port in layers_of)))
            yield Group(tuple(port.path for port in layers_of), np.array(list(in_order)))


def _along_channels(layer: layers.Concatenate, inputs: Sequence[_Tensor]) -> bool:
    return layer.axis in (-1, len(inputs[0].shape) - 1)


def _output_shape(layer: layers.Layer, inputs: Sequence[_Tensor]) -> tuple[int | None, ...]:
    shapes = [tensor.shape for tensor in inputs]
    merges = isinstance(layer, (*_ADDING, layers.Concatenate))
    return tuple(layer.compute_output_shape(shapes if merges else shapes[0]))
