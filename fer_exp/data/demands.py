"""What training, evaluation, pictures and files ask of the data: asked before all of them, not after hours.

Called by `loading` with the whole data set. What breaks later about the data belongs here, as a sentence.
"""

import logging

import numpy as np

from fer_exp.data import class_names
from fer_exp.data.inputs import Spec
from fer_exp.dataset import Split, Splits
from fer_exp.errors import DataError
from fer_exp.reporting.abridged import listed

_log = logging.getLogger(__name__)


def checked(splits: Splits) -> Splits:
    """Refuses data that a run cannot be finished with; warns of classes that a split lacks.

    Args:
        splits: The whole data set, with whatever folds were made of it.

    Returns:
        The same.

    Raises:
        DataError: With the first thing that is wrong.
    """
    class_names.require_readable(splits.class_names, splits.source)
    class_names.require_several(splits.class_names, splits.source)
    titled = {"train": splits.train, "val": splits.val, "test": splits.test}
    for title, split in titled.items():
        _check_inputs(title, split, splits)
        _check_labels(title, split, len(splits.class_names))
    held = {title: set(np.unique(split.labels).tolist()) for title, split in titled.items()}
    if len(held["train"]) < 2:
        (only,) = held["train"]
        raise DataError(
            "The training images must show two classes or more. Received: "
            f"{len(splits.train):,} images of {splits.class_names[only]} alone in {splits.source}."
        )
    for title in ("val", "test"):
        strange = sorted(held[title] - held["train"])
        if strange:
            raise DataError(
                f"Every class of the {title} split must have training images. Without any: "
                f"{listed([splits.class_names[label] for label in strange])}, in {splits.source}."
            )
    _tell_what_is_missing(splits, held)
    return splits


def _check_inputs(title: str, split: Split, splits: Splits) -> None:
    if not len(split):
        raise DataError(f"The {title} split must have images. Received: none in {splits.source}.")
    if tuple(split.inputs) != tuple(split.kinds):
        raise DataError(
            f"The inputs of the {title} split must be those that its kinds are given for, in their order. "
            f"Received: {', '.join(split.inputs)}; kinds of {', '.join(split.kinds)}, in {splits.source}."
        )
    for name, values in split.inputs.items():
        spec = split.specs[name]
        if values.dtype != spec.about.dtype or not spec.fits() or len(values) != len(split):
            raise DataError(
                f"The {spec.kind}s of the {title} split must be {spec.about.dtype} of shape "
                f"({', '.join([str(len(split)), *_axes(spec)])}), one for each label. "
                f"Received: {values.dtype} of shape {tuple(values.shape)} in {splits.source}."
            )
        first = splits.specs[name].shape if name in splits.specs else None
        if spec.shape != first:
            raise DataError(
                f"The {spec.kind}s of all splits must have one shape. Received: "
                f"{first} in train, {spec.shape} in {title} of {splits.source}."
            )


def _axes(spec: Spec) -> list[str]:
    *others, last = spec.about.axes
    return [*others, last if spec.about.channels is None else " or ".join(map(str, spec.about.channels))]


def _check_labels(title: str, split: Split, classes: int) -> None:
    labels = split.labels
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"The labels of the {title} split must be whole numbers from 0 to {classes - 1}. Received: {labels.dtype}, "
            f"{labels.min()} to {labels.max()}."
        )
    if split.targets is not None and split.targets.shape != (len(split), classes):
        raise DataError(
            f"The soft labels of the {title} split must have shape ({len(split)}, {classes}). "
            f"Received: {split.targets.shape}."
        )


def _tell_what_is_missing(splits: Splits, held: dict[str, set[int]]) -> None:
    means = {
        "train": "the model has outputs for them that nothing teaches",
        "val": "they count nothing where the epoch is chosen",
        "test": "their recall is undefined and stays out of the means",
    }
    for title, labels in held.items():
        missing = [name for label, name in enumerate(splits.class_names) if label not in labels]
        if missing:
            _log.warning("The %s split has no image of %s: %s.", title, listed(missing), means[title])
