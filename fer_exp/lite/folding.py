"""A trained network written out flat, with its batch normalisation folded into the layers before it.

Called by `quantization_aware`. What is left is what a `.tflite` file is made of: convolutions and dense layers with a
bias, rectifiers, sums, pools. It must not know quantisation, and no model by name.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from fer_exp.errors import ExportError

AFFINE = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
"""What batch normalisation folds into."""


@dataclass(frozen=True)
class Step:
    """One call of a layer, which is yet to be made.

    Attributes:
        kind: Class of the layer.
        config: What it is made from.
        weights: What it is given once it is built; the kernel, then the bias.
        inputs: Numbers of the tensors it takes; 0 is the model's input.
        output: Number of the tensor it makes.
    """

    kind: type[layers.Layer]
    config: dict[str, Any]
    weights: tuple[np.ndarray, ...]
    inputs: tuple[int, ...]
    output: int

    @property
    def name(self) -> str:
        """Name of the layer."""
        return str(self.config["name"])

    def is_a(self, *kinds: type[layers.Layer]) -> bool:
        """Returns whether the layer is of one of the kinds."""
        return issubclass(self.kind, kinds)


@dataclass(frozen=True)
class Network:
    """A model of one input and one output, as the calls it consists of.

    Attributes:
        input_shape: Of one image, (height, width, channels).
        steps: In the order of computation; the last one makes the output.
    """

    input_shape: tuple[int, ...]
    steps: tuple[Step, ...]

    def readers(self, tensor: int) -> list[Step]:
        """Returns the steps that take a tensor."""
        return [step for step in self.steps if tensor in step.inputs]

    def maker(self, tensor: int) -> Step | None:
        """Returns the step that makes a tensor; None for the model's input."""
        return next((step for step in self.steps if step.output == tensor), None)


def read(model: keras.Model) -> Network:
    """Writes a model out; models inside of it are gone through too.

    Args:
        model: Functional or sequential, one input and one output; it is left as it is.

    Raises:
        ExportError: If a layer with weights is called more than once.
    """
    tensors: dict[int, tuple[int, Any]] = {}  # id -> number, and the tensor, so that its id stays its own
    originals: dict[int, layers.Layer] = {}
    steps: list[Step] = []

    def number(tensor: Any) -> int:
        return tensors.setdefault(id(tensor), (len(tensors), tensor))[0]

    def copy(layer: layers.Layer) -> layers.Layer:
        inner = isinstance(layer, keras.Model)
        made = keras.models.clone_model(layer) if inner else type(layer).from_config(layer.get_config())
        originals[id(made)] = layer
        return made

    def call(made: layers.Layer, *args: Any, **options: Any) -> Any:
        inputs = tuple(number(tensor) for tensor in keras.tree.flatten(args))
        output = made(*args, **options)
        layer = originals[id(made)]
        if isinstance(layer, keras.Model):
            outside = {0: inputs[0]}
            within = read(layer).steps
            for step in within:
                outside[step.output] = number(output if step is within[-1] else step)
            for step in within:
                inner = tuple(outside[tensor] for tensor in step.inputs)
                steps.append(dataclasses.replace(step, inputs=inner, output=outside[step.output]))
        else:
            weights = tuple(layer.get_weights()) if layer.variables else ()
            steps.append(Step(type(layer), layer.get_config(), weights, inputs, number(output)))
        return output

    flat = keras.Model(model.inputs, model.outputs)
    keras.models.clone_model(flat, clone_function=copy, call_function=call)
    _check_names(steps)
    return Network(tuple(model.input_shape[1:]), tuple(steps))


def _check_names(steps: list[Step]) -> None:
    names = [step.name for step in steps if step.weights]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ExportError(f"`{repeated[0]}` must be the name of one layer that is called once.")


def folded(network: Network) -> Network:
    """Returns a network that computes the same in inference, of fewer kinds of layers.

    Separable convolutions and scalings of pixels become two layers, activations layers of their own, and batch
    normalisation goes into the layer before it. Penalties on weights are left out: the weights have other
    magnitudes now.

    Args:
        network: From `read`.

    Raises:
        ExportError: If batch normalisation stands behind something else.
    """
    steps: list[Step] = []
    for step in _divided(network):
        if not step.is_a(layers.BatchNormalization):
            steps.append(step)
            continue
        place = next((i for i, before in enumerate(steps) if before.output == step.inputs[0]), None)
        if place is None or not steps[place].is_a(*AFFINE) or len(network.readers(step.inputs[0])) > 1:
            raise ExportError(
                f"`{step.name}` (BatchNormalization) must stand behind a convolution or a dense layer that nothing "
                "else reads: it cannot be folded."
            )
        steps[place] = _normalised(steps[place], step)
    return dataclasses.replace(network, steps=tuple(steps))


def built(
    network: Network,
    make: Callable[[Step], layers.Layer] | None = None,
    after: Callable[[int, Any], Any] = lambda number, tensor: tensor,
) -> tuple[keras.Model, dict[int, layers.Layer]]:
    """Builds the model that a network describes, with new layers.

    Args:
        network: From `read` or `folded`.
        make: Makes the layer of a step; left out: a layer of the step's own kind.
        after: (number, tensor) -> what the readers of that tensor get in its place.

    Returns:
        The model, and its layers by the number of the tensor they make.
    """
    image = keras.Input(network.input_shape, name="image")
    tensors, made = {0: after(0, image)}, {}
    for step in network.steps:
        layer = make(step) if make else step.kind.from_config(step.config)
        inputs = [tensors[tensor] for tensor in step.inputs]
        output = layer(inputs if len(inputs) > 1 else inputs[0])
        if step.weights:
            layer.set_weights(step.weights)
        made[step.output] = layer
        tensors[step.output] = after(step.output, output)
    return keras.Model(image, tensors[network.steps[-1].output]), made


def _divided(network: Network) -> list[Step]:
    """Returns the steps with separable convolutions as two, and without activations inside of other layers."""
    steps: list[Step] = []
    free = 1 + max(step.output for step in network.steps)
    for step in network.steps:
        rectified = _rectifier(step)
        whole = dataclasses.replace(step, output=free) if rectified and not step.is_a(layers.Activation) else step
        free += 2
        if step.is_a(layers.Activation) and rectified:
            steps.append(dataclasses.replace(rectified, inputs=step.inputs))
            continue
        if step.is_a(layers.SeparableConv2D):
            steps += _halves(whole, free - 1)
        elif step.is_a(layers.Rescaling):
            steps += _factor_and_offset(whole, free - 1)
        else:
            steps.append(_without_extras(whole))
        if rectified:
            steps.append(dataclasses.replace(rectified, inputs=(whole.output,)))
    return steps


def _rectifier(step: Step) -> Step | None:
    """Returns the activation of a layer as a layer, if it is a rectifier; others stay where they are."""
    largest = {"relu": None, "relu6": 6.0}
    name = step.config.get("activation")
    if not isinstance(name, str) or name not in largest:
        return None
    config = layers.ReLU(largest[name], name=f"{step.name}_{name}", dtype=step.config["dtype"]).get_config()
    return Step(layers.ReLU, config, (), (), step.output)


def _halves(step: Step, between: int) -> list[Step]:
    config, (depthwise, pointwise, *bias) = step.config, step.weights
    shared = ("strides", "padding", "dilation_rate", "data_format", "dtype")
    first = layers.DepthwiseConv2D(
        config["kernel_size"],
        depth_multiplier=config["depth_multiplier"],
        use_bias=False,
        name=f"{step.name}_depthwise",
        **{key: config[key] for key in shared},
    )
    second = layers.Conv2D(
        config["filters"], 1, use_bias=bool(bias), name=f"{step.name}_pointwise", dtype=config["dtype"]
    )
    return [
        Step(layers.DepthwiseConv2D, first.get_config(), (depthwise,), step.inputs, between),
        Step(layers.Conv2D, second.get_config(), (pointwise, *bias), (between,), step.output),
    ]


def _factor_and_offset(step: Step, between: int) -> list[Step]:
    """Returns a scaling of pixels as the two operations that it is."""
    if not step.config["offset"]:
        return [step]
    factor = {**step.config, "offset": 0.0, "name": f"{step.name}_factor"}
    offset = {**step.config, "scale": 1.0, "name": f"{step.name}_offset"}
    return [
        Step(step.kind, factor, (), step.inputs, between),
        Step(step.kind, offset, (), (between,), step.output),
    ]


def _without_extras(step: Step) -> Step:
    if not step.is_a(*AFFINE):
        return step
    changes: dict[str, Any] = {key: None for key in step.config if key.endswith("_regularizer")}
    if _rectifier(step):
        changes["activation"] = "linear"
    return dataclasses.replace(step, config={**step.config, **changes})


def _normalised(affine: Step, norm: Step) -> Step:
    """Returns the layer that does the work of two."""
    values = list(norm.weights)
    scale = values.pop(0) if norm.config["scale"] else 1.0
    shift = values.pop(0) if norm.config["center"] else 0.0
    mean, variance = values
    factor = scale / np.sqrt(variance + norm.config["epsilon"])
    kernel, *bias = affine.weights
    shape = kernel.shape[2:] if affine.is_a(layers.DepthwiseConv2D) else kernel.shape[-1:]
    moved = ((bias[0] if bias else 0.0) - mean) * factor + shift
    return dataclasses.replace(
        affine,
        config={**affine.config, "use_bias": True},
        weights=(kernel * factor.reshape(shape), moved),
        output=norm.output,
    )
