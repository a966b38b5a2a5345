"""Contract of a model: `build(inputs, num_classes, *, ...) -> keras.Model`, functional and uncompiled.

Called by `assembly` through `config.build`, inside the scope of the strategy. `inputs` are the specs of what the data
set gives, by name: images (height, width, channels) in [0, 255], clips (frames, height, width, channels) in [0, 255],
sounds (samples,) in [-1, 1]. The model takes them as float32 (batch, ...) under these names, does its own scaling,
resizing and channel adaptation, and returns float32 logits (batch, num_classes), which its layer `logits` makes: the
`.tflite` then needs no code around it.

A model that takes something else than one image says so in a constant, the kind of each: `TAKES = ("sound",)`. It is
read before anything heavy is imported. A model with a backbone calls that layer `backbone`; one that loads weights says
which in the attribute `weights_origin`. A model must not know data, loss or tracking.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fer_exp.data.inputs import with_article
from fer_exp.dataset import gives
from fer_exp.options import config
from fer_exp.options.explain import siblings
from fer_exp.signature import constant

_IMAGE = ("image",)


def takes(target: str) -> tuple[str, ...]:
    """Returns the kind of each input that a model takes, without importing it; see the contract.

    Args:
        target: Of its builder.
    """
    return tuple(constant(target, "TAKES") or _IMAGE)


def parts(node: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Returns the nodes of the models that a model is made of, by the option that holds them.

    Args:
        node: Of the model.
    """
    return {key: value for key, value in node.items() if isinstance(value, Mapping) and "_target_" in value}


def has_backbone(node: Mapping[str, Any]) -> bool:
    """Tells whether a model, or one that it is made of, has a backbone that weights can be loaded into.

    Args:
        node: Of the model.
    """
    return "weights" in node or any(map(has_backbone, parts(node).values()))


def problems(experiment: config.Experiment) -> Iterator[str]:
    """Yields what is wrong with the models that a model is made of, and with what it takes."""
    node = experiment.model
    for option, part in parts(node).items():
        wrong = config.problems_of("model", part, f"model.{option}")
        yield from wrong
        if not wrong and takes(str(part["_target_"])) != _IMAGE:
            name, kinds = config.option_name(part), _listed(takes(str(part["_target_"])))
            yield f"`model.{option}` must take an image. Received: {name}, which takes {kinds}."
    given, taken = gives(experiment.dataset), takes(str(node["_target_"]))
    if sorted(given.values()) != sorted(taken):
        others = [
            s.target.split(".")[-2] for s in siblings("model") if sorted(takes(s.target)) == sorted(given.values())
        ]
        advice = f"Use model={' or model='.join(others)}." if others else "No model does."
        yield (
            f"`model` must take what dataset={experiment.option('dataset')} gives, which is {_listed(given.values())}. "
            f"Received: model={experiment.option('model')}, which takes {_listed(taken)}. {advice}"
        )
    elif taken != _IMAGE and experiment.evaluation.robustness:
        yield (
            "`evaluation.robustness` must be empty where a row is something else than an image: the corruptions are of "
            f"images. Received: evaluation.robustness={experiment.evaluation.robustness} for {_listed(taken)}."
        )


def _listed(kinds: Iterable[str]) -> str:
    return " and ".join(map(with_article, kinds))
