"""Contract of a data set: `build(*, ...) -> Splits`, NumPy only.

Called by `loading` through `config.build`. A data set must not know models, augmentation or tracking. To add one,
write `fer_exp/dataset/<name>.py` with a `build` function and `conf/dataset/<name>.yaml` that points at it.

A row of a data set is one image, unless its module says otherwise in a constant, the name and kind of each input:
`GIVES = {"voice": "sound"}`. Where that depends on an option, it is a function: `gives(**options) -> dict`. Both are
read before anything heavy is imported, so that a model that takes something else is refused at once.

An option may have `glance(**options)` beside it, which refuses within a moment what `build` would refuse of its files:
a csv with other columns, a folder without images. It is called before anything heavy is imported. An option that makes
its images may have `fewer(images, options)`: it returns the options with which it makes so many of each split at most.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fer_exp.data import data_cache, inputs, source_choice
from fer_exp.data.corrections import Corrections, Found
from fer_exp.data.inputs import Inputs, Kind, Spec
from fer_exp.data.stored_rows import Rows
from fer_exp.errors import DataError
from fer_exp.options import config
from fer_exp.signature import constant

_IMAGE: Mapping[str, Kind] = {"image": "image"}


@dataclass(frozen=True)
class Split:
    """Inputs and labels of one split.

    Attributes:
        inputs: Rows of each input by its name, in memory or on disk: images uint8 (n, height, width, channels), 0-255,
            channels 1 (grey) or 3 (RGB); clips uint8 (n, frames, height, width, channels); sounds float32 (n, samples),
            -1 to 1.
        labels: int64 (n,), 0 <= label < number of classes.
        targets: float32 (n, classes), what is trained towards in place of one-hot labels; rows sum to 1. None: labels.
        groups: str (n,); rows of one group (a person) are never divided between splits or folds. None: each its own.
        names: str (n,), what a row is called in its source: a path below the folder, `row 17`. None: nothing.
        sources: int (n,), index into `Splits.source_names`. None: there is one source.
        drawn: True: each time a row is seen in training, one class is drawn from its target and trained towards;
            False: the target itself is.
        kinds: Kind of each input by its name.
        rates: Frames or samples a second, of inputs that have them.
    """

    inputs: Inputs
    labels: np.ndarray
    targets: np.ndarray | None = None
    groups: np.ndarray | None = None
    names: np.ndarray | None = None
    sources: np.ndarray | None = None
    drawn: bool = False
    kinds: Mapping[str, Kind] = field(default_factory=lambda: _IMAGE)
    rates: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_images(cls, images: Rows, labels: np.ndarray, targets: np.ndarray | None = None, **columns: Any) -> "Split":
        """Returns a split of images alone.

        Args:
            images: uint8 (n, height, width, channels), 0-255.
            labels: As of the class.
            targets: As of the class.
            **columns: The others, as of the class.
        """
        return cls({"image": images}, labels, targets, **columns)

    @property
    def is_of_images(self) -> bool:
        """Whether a row is one image and nothing else."""
        return tuple(self.kinds.values()) == ("image",)

    @property
    def images(self) -> Rows:
        """The images, where a row is one image and nothing else.

        Raises:
            ValueError: If it is something else.
        """
        if not self.is_of_images:
            raise ValueError(f"`images` are asked of a split that has something else: {inputs.sentence(self.specs)}.")
        return next(iter(self.inputs.values()))

    @property
    def specs(self) -> dict[str, Spec]:
        """What each input is, by its name."""
        return {
            name: Spec(name, kind, tuple(self.inputs[name].shape[1:]), self.rates.get(name))
            for name, kind in self.kinds.items()
        }

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray | slice) -> "Split":
        """Returns the given rows as a new split; what lies on disk is not read."""
        columns = ("targets", "groups", "names", "sources")
        chosen = {name: getattr(self, name)[rows] for name in columns if getattr(self, name) is not None}
        return dataclasses.replace(self, inputs=inputs.take(self.inputs, rows), labels=self.labels[rows], **chosen)


@dataclass(frozen=True)
class Splits:
    """What a data set hands to the experiment.

    Attributes:
        train: What the model is fitted on.
        val: What selects the epoch, the schedule and the best job of a sweep.
        test: Touched once, at the end.
        class_names: Name of each label, in label order.
        sha256: Hex digest of the content (inputs, labels, targets, split), equal for equal content.
        source: Where the data came from: a path, or a description of the generator.
        notes: What the reader had to do to the data, for the record (rows skipped, files renamed ...).
        source_names: Of the data sets that these were put together from; empty if it is one.
        left_out: Names of images that the source holds and no split has, as far as the reader knows them.
    """

    train: Split
    val: Split
    test: Split
    class_names: tuple[str, ...]
    sha256: str
    source: str
    notes: Mapping[str, Any] = field(default_factory=dict)
    source_names: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()

    @property
    def specs(self) -> dict[str, Spec]:
        """What each input is, by its name."""
        return self.train.specs

    @property
    def development(self) -> "Development":
        """What a training is handed: everything but the test split."""
        return Development(self.train, self.val, self.class_names, self.sha256, self.source)


@dataclass(frozen=True)
class Development:
    """A data set without its test split: what builds, trains, selects and calibrates is handed this and nothing more.

    Attributes:
        train: As of `Splits`.
        val: As of `Splits`.
        class_names: As of `Splits`.
        sha256: As of `Splits`, of the whole content.
        source: As of `Splits`.
    """

    train: Split
    val: Split
    class_names: tuple[str, ...]
    sha256: str
    source: str

    @property
    def specs(self) -> dict[str, Spec]:
        """What each input is, by its name."""
        return self.train.specs


def concatenate(splits: Sequence[Split], num_classes: int) -> Split:
    """Puts splits together in order.

    A column that only some of them have is filled for the others: targets by the one-hot labels, groups so that each
    image is its own, names by the empty string, sources by 0.

    Args:
        splits: At least one.
        num_classes: Width of the targets.

    Raises:
        DataError: If some have targets that classes are drawn from, and others targets that are not; or if their inputs
            are not the same.
    """
    if len({tuple(split.kinds.items()) for split in splits}) > 1:
        each = "; ".join(inputs.sentence(split.specs) for split in splits)
        raise DataError(f"Data sets that are put together must give the same inputs. Received: {each}.")
    if len({split.drawn for split in splits if split.targets is not None}) > 1:
        raise DataError(
            "Data sets with soft labels must all be trained towards them in the same way: label=probability for all of "
            "them, or label=cross_entropy."
        )

    def column(name: str, filled: Callable[[Split, int], np.ndarray]) -> np.ndarray | None:
        held = [getattr(split, name) for split in splits]
        if all(values is None for values in held):
            return None
        return np.concatenate(
            [filled(split, n) if v is None else v for n, (split, v) in enumerate(zip(splits, held, strict=True))]
        )

    return Split(
        inputs=inputs.concatenate([split.inputs for split in splits]),
        labels=np.concatenate([split.labels for split in splits]),
        targets=column("targets", lambda split, _: np.eye(num_classes, dtype=np.float32)[split.labels]),
        groups=column("groups", lambda split, number: np.array([f"{number}:{row}" for row in range(len(split))])),
        names=column("names", lambda split, _: np.full(len(split), "")),
        sources=column("sources", lambda split, _: np.zeros(len(split), np.int64)),
        drawn=any(split.drawn for split in splits),
        kinds=splits[0].kinds,
        rates=splits[0].rates,
    )


def assemble(
    splits: Mapping[str, Split],
    class_names: tuple[str, ...],
    source: str,
    notes: Mapping[str, Any] | None = None,
    corrections: Corrections | None = None,
    left_out: Iterable[str] = (),
    elsewhere: Mapping[str, str] | None = None,
) -> Splits:
    """Puts train, val and test together, corrected, and computes the digest of their content.

    Args:
        splits: Under the names train, val and test.
        class_names: Name of each label, in label order.
        source: Where the data came from.
        notes: What the reader had to do to the data.
        corrections: Which images of train and val are left out or labelled anew.
        left_out: Names of images that options of the data set have left out: corrections may name them.
        elsewhere: Name of the class that an image has in another data set of the same images, by image: corrections
            made of that one are good for this one too.

    Raises:
        DataError: If corrections do not fit the data, or leave too little of them.
    """
    notes, gone = dict(notes or {}), frozenset(left_out)
    train, val, test = splits["train"], splits["val"], splits["test"]
    if corrections is not None and corrections.wanted:
        found = corrections.read(class_names)
        found.check_labels([(split.names, split.labels) for split in (train, val, test)], elsewhere)
        known = [name for split in (train, val, test) for name in (split.names if split.names is not None else ())]
        counts = {"ignored_in_test": found.concern(test.names), "left_out_anyway": found.check_names(known, gone)}
        (train, val), corrected, emptied = _corrected(train, val, test, found)
        notes |= {"corrections": counts | corrected} | ({"emptied_classes": emptied} if emptied else {})
        gone |= found.excluded.intersection(known).difference(() if test.names is None else test.names)
    columns = [(*split.inputs.values(), split.labels, split.targets) for split in (train, val, test)]
    arrays = [array for split in columns for array in split if array is not None]
    sha256 = data_cache.sha256_of_arrays(arrays)
    return Splits(train, val, test, class_names, sha256, source, notes, left_out=gone)


def _corrected(
    train: Split, val: Split, test: Split, found: Found
) -> tuple[tuple[Split, Split], dict[str, int], dict[str, list[str]]]:
    """Returns train and val as corrected, how many images of each were concerned, and which classes each has lost."""
    applied = {title: found.apply(split.names, split.labels) for title, split in (("train", train), ("val", val))}
    emptied = found.check_left(applied["train"], applied["val"], test.labels)
    changed: list[Split] = []
    counts: dict[str, int] = {}
    for split, (title, corrected) in zip((train, val), applied.items(), strict=True):
        anew = corrected.labels != split.labels
        counts |= {f"excluded_from_{title}": int((~corrected.kept).sum()), f"relabelled_in_{title}": int(anew.sum())}
        targets = split.targets
        if targets is not None:
            certain = np.eye(len(found.class_names), dtype=np.float32)[corrected.labels]
            targets = np.where(anew[:, None], certain, targets)
        whole = dataclasses.replace(split, labels=corrected.labels, targets=targets)
        changed.append(whole.take(corrected.kept))
    return (changed[0], changed[1]), counts, emptied


def gives(node: Mapping[str, Any]) -> Mapping[str, Kind]:
    """Returns the name and kind of each input that a data set gives, without reading it; see the contract.

    Args:
        node: Of the data set, checked.
    """
    function = config.function_of(node, "gives")
    if function is not None:
        found: Mapping[str, Kind] = function(**{key: value for key, value in node.items() if key != "_target_"})
        return found
    return constant(str(node["_target_"]), "GIVES") or _IMAGE


def problems(experiment: config.Experiment) -> Iterator[str]:
    """Yields what is wrong with the sources of a data set that has some."""
    node = experiment.dataset
    if "sources" not in node:
        return
    for name, source in node["sources"].items():
        wrong = config.problems_of("dataset", source, f"dataset.sources.{name}")
        yield from wrong
        if not wrong and gives(source) != _IMAGE:
            yield (
                f"`dataset.sources.{name}` must give images alone. "
                f"Received: {config.option_name(source)}, which gives {' and '.join(gives(source).values())}."
            )
    chosen = {key: node[key] for key in ("train", "test", "test_images")}
    yield from source_choice.problems(tuple(node["sources"]), **chosen)
