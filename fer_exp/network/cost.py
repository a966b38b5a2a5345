"""What a model costs to run: its multiply-adds, by kind of layer, and the layers that nobody knows how to count.

Called to choose a precision, to choose channels, and for the record. Knows Keras layers, and no model by name.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

Shape = tuple[int | None, ...]
_Reshape = type(keras.ops.reshape(keras.Input((1,)), (-1,))._keras_history.operation)  # which is in no public module

# They have weights, and multiply by them no more than once a value, which is not counted.
_ELEMENTWISE = (
    *(layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization, layers.UnitNormalization),
    *(layers.RMSNormalization, layers.Normalization, layers.Rescaling, layers.PReLU, layers.Embedding, layers.Dropout),
)


@dataclass(frozen=True)
class MultiplyAdds:
    """Multiply-adds of one input; additions of biases, normalisation, pooling and activations are not counted.

    Attributes:
        dense_spatial: In convolutions over more than one position that mix channels.
        fully_connected: In dense and recurrent layers, and in attention.
        pointwise: In convolutions over one position.
        depthwise: In convolutions that keep channels apart.
        uncounted: Names of layers with weights, or of a length that is not known, whose multiply-adds are not among
            these: the true cost is larger.
    """

    dense_spatial: int = 0
    fully_connected: int = 0
    pointwise: int = 0
    depthwise: int = 0
    uncounted: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """All that are counted."""
        return self.dense_spatial + self.fully_connected + self.pointwise + self.depthwise

    def __add__(self, other: "MultiplyAdds") -> "MultiplyAdds":
        return MultiplyAdds(
            self.dense_spatial + other.dense_spatial,
            self.fully_connected + other.fully_connected,
            self.pointwise + other.pointwise,
            self.depthwise + other.depthwise,
            (*self.uncounted, *(name for name in other.uncounted if name not in self.uncounted)),
        )

    def __mul__(self, times: int) -> "MultiplyAdds":
        return MultiplyAdds(
            self.dense_spatial * times,
            self.fully_connected * times,
            self.pointwise * times,
            self.depthwise * times,
            self.uncounted,
        )


def multiply_adds(model: keras.Model) -> MultiplyAdds:
    """Counts the multiply-adds of a built model; models within it are included, and a layer counts at each call.

    Args:
        model: Functional or sequential.
    """
    graph = model._functional if isinstance(model, keras.Sequential) else model
    return sum((_of_call(*call) * times for *call, times in _calls(graph)), MultiplyAdds())


def of_layer(layer: keras.layers.Layer) -> MultiplyAdds:
    """Counts the multiply-adds of a built layer, or of a model.

    Args:
        layer: Part of a functional model, called once.
    """
    if isinstance(layer, keras.Model):
        return multiply_adds(layer)
    return _of_call(layer, _shapes(layer.input), tuple(layer.output.shape))


def _calls(graph: keras.Model) -> Iterator[tuple[Any, list[Shape], Shape, int]]:
    """Yields each call of a layer: itself, the shapes of what it takes, that of the first it gives, and how many rows.

    There is one row of the batch for each of the model, or one for each frame, where frames were made rows.
    """
    rows: dict[int, int] = {}  # by tensor
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            taken, given = _shapes(node.input_tensors), tuple(node.outputs[0].shape)
            times = max((rows.get(id(tensor), 1) for tensor in node.input_tensors), default=1)
            if isinstance(node.operation, layers.Layer) and not isinstance(node.operation, layers.InputLayer):
                yield node.operation, taken, given, times
            elif isinstance(node.operation, _Reshape):
                times = times * _values(taken[0]) // _values(given)
            rows |= {id(tensor): times for tensor in node.outputs}


def _values(shape: Shape) -> int:
    """Returns how many values a row has, as far as its size is known."""
    return math.prod(size or 1 for size in shape[1:])


def _shapes(tensors: Any) -> list[Shape]:
    return [tuple(tensor.shape) for tensor in keras.tree.flatten(tensors)]


def _of_call(layer: keras.layers.Layer, taken: list[Shape], given: Shape) -> MultiplyAdds:
    """Counts what a layer multiplies at one call."""
    if isinstance(layer, keras.Model):
        return multiply_adds(layer)
    count = next((count for kinds, count in _COUNTED if isinstance(layer, kinds)), None)
    if count is None:
        known = not layer.weights or isinstance(layer, _ELEMENTWISE)
        return MultiplyAdds() if known else MultiplyAdds(uncounted=(layer.name,))
    try:
        return count(layer, taken, given)
    except TypeError:  # a size that is None: it may be any
        return MultiplyAdds(uncounted=(layer.name,))


def _positions(shape: Shape) -> int:
    """Returns the number of pixels or moments of (batch, ..., channels)."""
    return math.prod(shape[1:-1])  # type: ignore[arg-type]


def _convolution(layer: Any, taken: list[Shape], given: Shape) -> MultiplyAdds:
    cost = _positions(given) * math.prod(layer.kernel.shape)
    return MultiplyAdds(pointwise=cost) if math.prod(layer.kernel_size) == 1 else MultiplyAdds(dense_spatial=cost)


def _transposed(layer: Any, taken: list[Shape], given: Shape) -> MultiplyAdds:
    return MultiplyAdds(dense_spatial=_positions(taken[0]) * math.prod(layer.kernel.shape))


def _separable(layer: Any, taken: list[Shape], given: Shape) -> MultiplyAdds:
    return MultiplyAdds(
        depthwise=_positions(given) * math.prod(layer.depthwise_kernel.shape),
        pointwise=_positions(given) * math.prod(layer.pointwise_kernel.shape),
    )


def _depthwise(layer: Any, taken: list[Shape], given: Shape) -> MultiplyAdds:
    return MultiplyAdds(depthwise=_positions(given) * math.prod(layer.kernel.shape))


def _dense(layer: Any, taken: list[Shape], given: Shape) -> MultiplyAdds:
    return MultiplyAdds(fully_connected=_positions(given) * math.prod(layer.kernel.shape))


def _einsum(layer: Any, taken: list[Shape], given: Shape) -> MultiplyAdds:
    """Each number of the result is a sum over the letters of the kernel that the result has not."""
    reads, _, result = layer.equation.replace(" ", "").partition("->")
    of_kernel = reads.split(",")[1]
    summed = [size for letter, size in zip(of_kernel, layer.kernel.shape, strict=True) if letter not in result]
    return MultiplyAdds(fully_connected=math.prod(given[1:]) * math.prod(summed))  # type: ignore[arg-type]


def _recurrent(layer: Any, taken: list[Shape], given: Shape) -> MultiplyAdds:
    cell = layer.cell
    if not (hasattr(cell, "kernel") and hasattr(cell, "recurrent_kernel")) or len(taken[0]) != 3:
        return MultiplyAdds(uncounted=(layer.name,))
    step = math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape)
    return MultiplyAdds(fully_connected=_positions(taken[0]) * step)


def _both_ways(layer: Any, taken: list[Shape], given: Shape) -> MultiplyAdds:
    ways = (layer.forward_layer, layer.backward_layer)
    return sum((_of_call(way, taken, given) for way in ways), MultiplyAdds())


def _each_moment(layer: Any, taken: list[Shape], given: Shape) -> MultiplyAdds:
    (batch, moments, *rest), (_, _, *made) = taken[0], given
    return _of_call(layer.layer, [(batch, *rest)], (batch, *made)) * math.prod((moments,))  # type: ignore[arg-type]


def _attention(layer: Any, taken: list[Shape], given: Shape) -> MultiplyAdds:
    """Projections of query, key and value, the scores, the weighted sums, and the projection back."""
    options = layer.get_config()
    heads, key_size, value_size = options["num_heads"], options["key_dim"], options["value_dim"] or options["key_dim"]
    query, value = taken[0], taken[min(1, len(taken) - 1)]
    key = taken[2] if len(taken) > 2 else value
    asked, held = _positions(query), _positions(value)
    projected = asked * query[-1] * key_size + held * (key[-1] * key_size + value[-1] * value_size)  # type: ignore[operator]
    compared = asked * held * (key_size + value_size)
    back = asked * value_size * given[-1]
    return MultiplyAdds(fully_connected=heads * (projected + compared + back))


_COUNTED: tuple[tuple[Any, Callable[[Any, list[Shape], Shape], MultiplyAdds]], ...] = (
    ((layers.SeparableConv1D, layers.SeparableConv2D), _separable),
    ((layers.DepthwiseConv1D, layers.DepthwiseConv2D), _depthwise),
    ((layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), _transposed),
    ((layers.Conv1D, layers.Conv2D, layers.Conv3D), _convolution),
    (layers.Dense, _dense),
    (layers.EinsumDense, _einsum),
    (layers.Bidirectional, _both_ways),
    (layers.RNN, _recurrent),
    (layers.TimeDistributed, _each_moment),
    (layers.MultiHeadAttention, _attention),
)
