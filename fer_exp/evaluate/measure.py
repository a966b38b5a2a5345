"""A trained model answers a split of any data set: classes matched by name, inputs made as it takes them.

Called by the command line. It must not know where the model came from, nor where its numbers go.
"""

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fer_exp.assessment import metrics
from fer_exp.data import inputs as rows_of
from fer_exp.data.emotions import canonical
from fer_exp.data.image_files import fitted
from fer_exp.data.inputs import Inputs, Spec, Specs, sentence
from fer_exp.dataset import Split, Splits
from fer_exp.errors import DataError
from fer_exp.run.trained import BATCH, Classifier


@dataclass(frozen=True)
class Evaluated:
    """What was measured.

    Attributes:
        evaluation: Over the classes that model and data share.
        split: The rows it is of.
        columns: Which of the model's answers each of these classes has.
        notes: What had to be done to them, or to the answers.
    """

    evaluation: metrics.Evaluation
    split: Split
    columns: tuple[int, ...]
    notes: tuple[str, ...]


def measure(model: Classifier, splits: Splits, split: str, common: bool) -> Evaluated:
    """Lets a model answer a split.

    Args:
        model: Classes by name, in any order; `happiness` is `happy`, as `emotions.canonical` says.
        splits: The data set; its images and clips are made grey or RGB and resized as the model takes them.
        split: train, val or test.
        common: Leave out the classes that the two do not share: their images, and the model's answers for them, the
            probabilities of the others being scaled to sum to 1.

    Raises:
        DataError: If model and data do not have the same classes, or, with `common`, fewer than two of the same; or if
            the data cannot be made what the model takes.
    """
    images: Split = getattr(splits, split)
    _require_kinds(model, splits)
    names = _matched(splits.class_names, model.class_names)
    shared = list(names)
    only_model = [name for name in model.class_names if name not in names.values()]
    only_data = [name for name in splits.class_names if name not in names]
    if len(shared) < 2 or ((only_model or only_data) and not common):
        raise DataError(_other_classes(splits, only_model, only_data, shared))
    notes = []
    if spelled := [f"{own} ({theirs})" for theirs, own in names.items() if theirs != own]:
        notes.append(f"classes of the model, and what the data call them: {', '.join(spelled)}")
    labels = np.array([shared.index(name) if name in shared else -1 for name in splits.class_names])[images.labels]
    images, labels = images.take(labels >= 0), labels[labels >= 0]
    if not len(images):
        raise DataError(
            f"The {split} split of {splits.source} holds no image of the shared classes {', '.join(shared)}."
        )
    if only_model or only_data:
        left = f"{len(getattr(splits, split)) - len(images):,} images"
        notes.append(f"only the shared classes {', '.join(shared)} are evaluated; {left} of others are left out")
    for spec, wanted in _pairs(images.specs, model.inputs):
        if spec.shape != wanted.shape:
            was, now = ("x".join(map(str, shape)) for shape in (spec.shape, wanted.shape))
            notes.append(f"{spec.kind}s of {was} were made {now}, as the model takes them")
        if None not in (spec.rate, wanted.rate) and spec.rate != wanted.rate:
            notes.append(
                f"{spec.kind}s have {spec.rate:g} values a second, and the model has learned from {wanted.rate:g}"
            )
    columns = [model.class_names.index(names[name]) for name in shared]
    probabilities, silent = _scaled(_answers(model, images.inputs)[:, columns])
    if silent:
        notes.append(f"for {silent:,} images the model gave no shared class any probability; all count the same there")
    evaluation = metrics.evaluate(probabilities, labels, shared)
    return Evaluated(evaluation, dataclasses.replace(images, labels=labels), tuple(columns), tuple(notes))


def answer(model: Classifier, inputs: Inputs, columns: Sequence[int]) -> np.ndarray:
    """Returns probabilities (n, columns) of the classes in these columns of the model's answers; rows sum to 1."""
    return _scaled(_answers(model, inputs)[:, list(columns)])[0]


def fit(model: Classifier, inputs: Inputs) -> dict[str, np.ndarray]:
    """Makes rows such as the model takes them, by the names that it has for them.

    Args:
        model: What takes them.
        inputs: Rows of each input, of the kinds that the model takes: images and the frames of clips become grey or RGB
            and of its size.
    """
    given = rows_of.matched(inputs, model.inputs)
    return {name: _fitted(given[name][:], spec.shape) for name, spec in model.inputs.items()}


def _fitted(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if values.shape[1:] == shape:
        return values

    def one(image: np.ndarray) -> np.ndarray:
        return fitted(Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image), (height, width, channels))

    height, width, channels = shape[-3:]
    pictures = values.reshape(-1, *values.shape[-3:])  # all frames of all clips
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(one, pictures))).reshape(len(values), *shape)


def _pairs(given: Specs, taken: Specs) -> list[tuple[Spec, Spec]]:
    """Returns each input of the data with that of the model: the only ones, or those of the same name."""
    if len(given) > 1:
        taken = {name: spec for name, spec in taken.items() if name in given}
    ours = rows_of.matched(given, taken)
    return [(ours[name], spec) for name, spec in taken.items()]


def _require_kinds(model: Classifier, splits: Splits) -> None:
    """Refuses data that cannot be made what the model takes."""
    pairs = _pairs(splits.specs, model.inputs)
    fit = len(pairs) == len(splits.specs) == len(model.inputs)
    # Only the last three axes of pictures, height, width and channels, can be made others.
    fit = fit and all(
        (given.kind, given.shape[:-3]) == (taken.kind, taken.shape[:-3])
        and (len(given.shape) >= 3 or given.shape == taken.shape)
        for given, taken in pairs
    )
    if not fit:
        raise DataError(
            f"`dataset` must give what the model takes, which is {sentence(model.inputs)}. "
            f"Received: {sentence(splits.specs)} in {splits.source}."
        )


def _matched(data: Sequence[str], model: Sequence[str]) -> dict[str, str]:
    """Returns, for each class of the data that the model knows, what the model calls it.

    Expressions are matched by what they mean, unless that would make two classes of one side the same.
    """
    ambiguous = any(len({canonical(name) for name in names}) < len(names) for names in (data, model))
    known = {name if ambiguous else canonical(name): name for name in model}
    keys = {name: name if ambiguous else canonical(name) for name in data}
    return {name: known[key] for name, key in keys.items() if key in known}


def _other_classes(splits: Splits, only_model: list[str], only_data: list[str], shared: list[str]) -> str:
    advice = "--common evaluates those that both have" if len(shared) > 1 else "they do not share two classes"
    return (
        f"`dataset` must have the classes of the model. Received: {splits.source}; only the data have "
        f"{', '.join(only_data) or 'none'}, only the model has {', '.join(only_model) or 'none'}: {advice}."
    )


def _answers(model: Classifier, inputs: Inputs) -> np.ndarray:
    """Returns probabilities (n, classes of the model)."""
    return np.concatenate([model.predict(fit(model, part)) for part in rows_of.chunks(inputs, BATCH)])


def _scaled(probabilities: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns rows that sum to 1, and how many were nothing but zeros, which become even."""
    sums = probabilities.sum(axis=1, keepdims=True)
    zero = sums[:, 0] <= 0
    scaled = np.divide(probabilities, sums, out=np.full_like(probabilities, 1 / probabilities.shape[1]), where=sums > 0)
    return scaled, int(zero.sum())
