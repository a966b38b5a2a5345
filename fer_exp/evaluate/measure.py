"""A trained model answers a split of any data set: classes matched by name, images made as it takes them.

Called by the command line. It must not know where the model came from, nor where its numbers go.
"""

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fer_exp import metrics
from fer_exp.data.image_files import fitted
from fer_exp.data.image_rows import Images
from fer_exp.dataset import Split, Splits
from fer_exp.emotions import canonical
from fer_exp.errors import DataError
from fer_exp.trained import BATCH, Classifier


@dataclass(frozen=True)
class Evaluated:
    """What was measured.

    Attributes:
        evaluation: Over the classes that model and data share.
        split: The images it is of.
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
        splits: The data set; its images are made grey or RGB and resized as the model takes them.
        split: train, val or test.
        common: Leave out the classes that the two do not share: their images, and the model's answers for them, the
            probabilities of the others being scaled to sum to 1.

    Raises:
        DataError: If model and data do not have the same classes, or, with `common`, fewer than two of the same.
    """
    images: Split = getattr(splits, split)
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
    if images.images.shape[1:] != model.image_shape:
        was, now = ("x".join(map(str, shape)) for shape in (images.images.shape[1:], model.image_shape))
        notes.append(f"images of {was} were made {now}, as the model takes them")
    columns = [model.class_names.index(names[name]) for name in shared]
    probabilities, silent = _scaled(_answers(model, images.images)[:, columns])
    if silent:
        notes.append(f"for {silent:,} images the model gave no shared class any probability; all count the same there")
    evaluation = metrics.evaluate(probabilities, labels, shared)
    return Evaluated(evaluation, dataclasses.replace(images, labels=labels), tuple(columns), tuple(notes))


def answer(model: Classifier, images: Images, columns: Sequence[int]) -> np.ndarray:
    """Returns probabilities (n, columns) of the classes in these columns of the model's answers; rows sum to 1."""
    return _scaled(_answers(model, images)[:, list(columns)])[0]


def fit(model: Classifier, images: np.ndarray) -> np.ndarray:
    """Makes images such as the model takes them: uint8 (n, height, width, channels), grey or RGB, of its size."""
    if images.shape[1:] == model.image_shape:
        return images

    def one(image: np.ndarray) -> np.ndarray:
        return fitted(Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image), model.image_shape)

    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(one, images)))


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


def _answers(model: Classifier, images: Images) -> np.ndarray:
    """Returns probabilities (n, classes of the model)."""
    parts = [model.predict(fit(model, images[start : start + BATCH])) for start in range(0, len(images), BATCH)]
    return np.concatenate(parts)


def _scaled(probabilities: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns rows that sum to 1, and how many were nothing but zeros, which become even."""
    sums = probabilities.sum(axis=1, keepdims=True)
    zero = sums[:, 0] <= 0
    scaled = np.divide(probabilities, sums, out=np.full_like(probabilities, 1 / probabilities.shape[1]), where=sums > 0)
    return scaled, int(zero.sum())
