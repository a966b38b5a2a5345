"""The calls that a functional model consists of, read from its configuration, which is what a `.keras` file holds.

Called by `channel_groups`. Keras has no public way to walk along a graph of layers; how it writes graphs down is
stable, because files depend on it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Reference = tuple[str, int, int]
"""A tensor: name of the layer that gives it, number of the call, number among the outputs of that call."""


def calls(config: Mapping[str, Any]) -> Iterator[tuple[str, int, tuple[Reference, ...]]]:
    """Yields the calls: name of the layer, number of the call, and the tensors that it takes.

    Args:
        config: Of a functional model, as from `get_config`.
    """
    for entry in config["layers"]:
        for node, arguments in enumerate(entry["inbound_nodes"]):
            yield entry["name"], node, tuple(_tensors([arguments["args"], arguments["kwargs"]]))


def references(value: Any) -> list[Reference]:
    """Returns the tensors that are inputs or outputs of a model: one, a list or a mapping of them.

    Args:
        value: `input_layers` or `output_layers` of the configuration.
    """
    if isinstance(value, Mapping):
        return references(list(value.values()))
    if value and isinstance(value[0], str):
        return [(value[0], value[1], value[2])]
    return [reference for part in value for reference in references(part)]


def _tensors(value: Any) -> Iterator[Reference]:
    """Yields the tensors in the arguments of a call."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            name, node, index = value["config"]["keras_history"]
            yield name, node, index
        else:
            yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)
