"""Several data sets as one: trained on together, or trained on some and tested on others.

Called through `config.build`, by which it also builds the data sets that it is put together from. Classes are united by
name, images are made one size, and every image remembers where it is from. `source_choice` says which data set serves
for what; what the data sets are is none of this module's business.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from PIL import Image

from fer_exp.data import data_cache, image_store, source_choice
from fer_exp.data.corrections import Corrections
from fer_exp.data.emotions import EIGHT, canonical
from fer_exp.data.image_files import fitted
from fer_exp.data.source_choice import Choice, Roles
from fer_exp.data.stored_rows import Rows
from fer_exp.dataset import Split, Splits, assemble, concatenate
from fer_exp.errors import DataError
from fer_exp.options import config
from fer_exp.signature import InputPath, PositiveInt

_TITLES = ("train", "val", "test")


def glance(*, sources: dict[str, dict[str, Any]], train: Choice, test: Choice, **others: Any) -> None:
    """Refuses what a source that is used would refuse; see the contract."""
    nodes = source_choice.given({"sources": sources})["sources"]
    for name in source_choice.roles(tuple(nodes), train, test).all:
        with _called_as_here(name, nodes[name]):
            config.glance(nodes[name])


def build(
    *,
    sources: dict[str, dict[str, Any]],
    train: str | list[str] | None,
    test: str | list[str] | None,
    test_images: Literal["split", "all"],
    classes: Literal["common", "union"],
    image_size: PositiveInt,
    channels: Literal[1, 3],
    exclude: InputPath | None,
    relabel: InputPath | None,
    cache_dir: str,
) -> Splits:
    """Reads several data sets and puts them together.

    Args:
        sources: Data sets by name, each with its own options; those whose path is not given are left out.
        train: Names of the sources that are trained and validated on; null for all that are not named in `test`.
        test: Names of the sources that are tested on; null for those that are trained on.
        test_images: Of a source that is tested on: its test `split`, or `all` images of its three splits, if it is not
            trained on.
        classes: Either `common` (only classes that all sources have; other images are left out) or `union`.
        image_size: Height and width every image is resized to, in pixels, at least 1; in place of what the sources say.
        channels: 1 for grey, 3 for RGB; in place of what the sources say.
        exclude: CSV with a column `name` (`fer2013/row 17`): images of train and val to leave out; null for none.
        relabel: CSV with the columns `name` and `label`: images of train and val to label anew; null for none.
        cache_dir: Folder that keeps resized images between runs; may be deleted at any time. `~` expands.

    Raises:
        DataError: If a source cannot be read, or the sources do not fit together.
        StorageError: If resized images can neither be kept in the cache nor be held in memory.
    """
    nodes = source_choice.given({"sources": sources})["sources"]
    roles = source_choice.roles(tuple(nodes), train, test)
    size: dict[str, int] = {"image_size": image_size, "channels": channels}
    # A source that resizes anyway does it once, from its own images.
    built = {
        name: _built(name, nodes[name], {key: value for key, value in size.items() if key in nodes[name]})
        for name in roles.all
    }
    names = _class_names(built, classes)
    shape = (image_size, image_size, channels)
    parts: dict[str, list[Split]] = {title: [] for title in _TITLES}
    notes: dict[str, Any] = {}
    unused: set[str] = set()
    for number, (name, found) in enumerate(built.items()):
        notes |= {f"{name}.{key}": value for key, value in found.notes.items()}
        left_out = 0
        unused |= _named(name, found)
        for title in _wanted(name, roles, test_images):
            split: Split = getattr(found, title)
            images = _resized(split.images, shape, f"{found.sha256} {title}", cache_dir)
            shared = _relabelled(dataclasses.replace(split, inputs={"image": images}), found.class_names, names)
            left_out += len(split) - len(shared)
            marked = _marked(shared, name, number, title)
            unused.difference_update(() if marked.names is None else marked.names.tolist())
            parts[title if name in roles.train else "test"].append(marked)
        if left_out:
            notes[f"{name}.images_of_other_classes"] = left_out
    splits = {title: concatenate(_grouped(held), len(names)) for title, held in parts.items()}
    _check(splits, names)
    source = " + ".join(f"{name} ({found.source})" for name, found in built.items())
    whole = assemble(splits, names, source, notes, Corrections(exclude, relabel), unused)
    return dataclasses.replace(whole, source_names=tuple(built))


def _built(name: str, node: Mapping[str, Any], changes: Mapping[str, Any]) -> Splits:
    """Builds a source."""
    with _called_as_here(name, node):
        built: Splits = config.build(node, **changes)
    return built


@contextmanager
def _called_as_here(name: str, node: Mapping[str, Any]) -> Iterator[None]:
    """Lets messages of a source call its options as they are called here."""
    try:
        yield
    except DataError as error:
        own = rf"(?<![\w/.])dataset\.(?=(?:{'|'.join(map(re.escape, node))})\b)"
        raise DataError(re.sub(own, f"dataset.sources.{name}.", str(error))) from error


def _wanted(name: str, roles: Roles, test_images: Literal["split", "all"]) -> list[str]:
    """Returns the splits of a source that are used."""
    if name not in roles.train:
        return list(_TITLES) if test_images == "all" else ["test"]
    return list(_TITLES) if name in roles.test else ["train", "val"]


def _class_names(built: Mapping[str, Splits], classes: Literal["common", "union"]) -> tuple[str, ...]:
    """Returns the classes: expressions in the order of FER2013, then the others by name."""
    spelled = {canonical(name): name for found in reversed(list(built.values())) for name in found.class_names}
    held = [{canonical(name) for name in found.class_names} for found in built.values()]
    keys = set.intersection(*held) if classes == "common" else set.union(*held)
    if len(keys) < 2:
        each = "; ".join(f"{name}: {', '.join(found.class_names)}" for name, found in built.items())
        raise DataError(f"`dataset.sources` must have two classes in common, or use dataset.classes=union. {each}.")
    expressions = [name for name in EIGHT if name in keys]
    return (*expressions, *(spelled[key] for key in sorted(keys - set(expressions))))


def _resized(images: Rows, shape: tuple[int, int, int], content: str, cache_dir: str) -> Rows:
    """Returns images of a size, made once for each content."""
    if images.shape[1:] == shape:
        return images

    def build(rows: range) -> tuple[np.ndarray, dict[int, str]]:
        part = images[rows.start : rows.stop]
        pictures = (Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image) for image in part)
        return np.stack([fitted(picture, shape) for picture in pictures]), {}

    key = data_cache.make_key("resized", [content, *map(str, shape)])
    return image_store.load_or_build(cache_dir, key, (len(images), *shape), build).images


def _relabelled(split: Split, old: tuple[str, ...], new: tuple[str, ...]) -> Split:
    """Returns the images of the new classes, labelled by them; what soft targets said of others is shared out."""
    keys = [canonical(name) for name in new]
    number = np.array([keys.index(key) if (key := canonical(name)) in keys else -1 for name in old])
    split = split.take(number[split.labels] >= 0)
    labels = number[split.labels]
    if split.targets is None:
        return dataclasses.replace(split, labels=labels)
    targets = np.zeros((len(split), len(new)), np.float32)
    for column, label in enumerate(number):
        if label >= 0:
            targets[:, label] += split.targets[:, column]
    sums = targets.sum(axis=1, keepdims=True)
    targets = np.where(sums > 0, targets / np.maximum(sums, 1e-12), np.eye(len(new))[labels]).astype(np.float32)
    return dataclasses.replace(split, labels=labels, targets=targets)


def _marked(split: Split, source: str, number: int, title: str) -> Split:
    """Returns a split whose names, groups and sources say where it is from."""
    rows = range(len(split))
    names = [f"{title} {row}" for row in rows] if split.names is None else split.names.tolist()
    groups = None if split.groups is None else np.array([f"{source}/{group}" for group in split.groups.tolist()])
    return dataclasses.replace(
        split,
        names=np.array([f"{source}/{name}" for name in names]),
        groups=groups,
        sources=np.full(len(split), number),
    )


def _named(source: str, found: Splits) -> set[str]:
    """Returns what all images of a source are called here, also those that it has left out itself."""
    splits = (found.train, found.val, found.test)
    held = {name for split in splits if split.names is not None for name in split.names.tolist()}
    return {f"{source}/{name}" for name in held | found.left_out}


def _grouped(splits: list[Split]) -> list[Split]:
    """Gives each image that has no group one of its own, if other images have groups."""
    if all(split.groups is None for split in splits):
        return splits
    return [s if s.groups is not None else dataclasses.replace(s, groups=s.names) for s in splits]


def _check(splits: Mapping[str, Split], names: tuple[str, ...]) -> None:
    for title in _TITLES:
        if not len(splits[title]):
            raise DataError(f"There are no images for {title} of the classes {', '.join(names)}.")
        strange = np.setdiff1d(splits[title].labels, splits["train"].labels)
        if len(strange):
            raise DataError(
                f"Every class of the {title} split must have training images. Without any: "
                f"{', '.join(names[label] for label in strange)}. Use dataset.classes=common, or other sources."
            )
