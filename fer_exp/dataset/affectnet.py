"""AffectNet, its manually annotated images: as tables with boxes, or as the release of 2021.

Called through `config.build`. Knows the meaning of the numbers and that there is no public test set: the official
validation set takes its place. `image_folders` reads, decodes and divides.

Source: Mollahosseini, Hasani and Mahoor, "AffectNet: A Database for Facial Expression, Valence, and Arousal Computing
in the Wild", 2017, https://arxiv.org/abs/1708.03985.
"""

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp.data import data_cache
from fer_exp.data.corrections import Corrections
from fer_exp.data.emotions import EIGHT
from fer_exp.data.folders import listing, passed_over
from fer_exp.data.fractions import SplitFraction
from fer_exp.data.image_folders import affectnet_csv, affectnet_npy
from fer_exp.data.image_folders.affectnet import Annotations
from fer_exp.data.image_folders.division import Listed, Reading, divided
from fer_exp.data.label_codes import AFFECTNET as CODES
from fer_exp.dataset import Splits
from fer_exp.errors import DataError
from fer_exp.signature import InputPath, NonNegativeInt, PositiveInt


def glance(*, path: str, **others: Any) -> None:
    """Refuses a folder that is laid out otherwise; see the contract."""
    _form(listing.root_of(path))


def build(
    *,
    path: InputPath,
    val: SplitFraction | Literal["val"],
    test: SplitFraction | Literal["val"],
    classes: Literal[7, 8],
    image_size: PositiveInt,
    channels: Literal[1, 3],
    on_bad_image: Literal["error", "skip"],
    split_seed: NonNegativeInt,
    exclude: InputPath | None,
    relabel: InputPath | None,
    cache_dir: str,
) -> Splits:
    """Reads AffectNet and divides it.

    Args:
        path: Folder that holds `training.csv`, `validation.csv` and `Manually_Annotated_Images` (each may lie one
            folder deeper), or `train_set` and `val_set`. `~` expands.
        val: Validation split: a stratified fraction of the training images, above 0 and below 1, or `val`, the official
            validation set.
        test: Test split: the same choices; `val` is what papers report, as there is no public test set.
        classes: Either 8, or 7 without contempt.
        image_size: Height and width every face is resized to, in pixels, at least 1; proportions are not kept.
        channels: 1 for grey, 3 for RGB.
        on_bad_image: Either `error` (the first malformed annotation, missing image or image that cannot be
            decoded stops the run) or `skip` (such images are left out and counted).
        split_seed: Seed of the stratified fractions, at least 0.
        exclude: CSV with a column `name`: images of train and val to leave out; null for none.
        relabel: CSV with the columns `name` and `label`: images of train and val to label anew; null for none.
        cache_dir: Folder that keeps annotations and decoded arrays between runs; may be deleted at any time. `~`
            expands.

    Raises:
        DataError: If the folder is laid out otherwise, an annotation is malformed, or an image is missing or damaged.
    """
    if val == test == "val":
        raise DataError(
            "`dataset.val` and `dataset.test` must be different images. Received: val for both. A part of the training "
            "images can serve: dataset.val=0.05"
        )
    root = listing.root_of(path)
    annotations = _annotations(root, on_bad_image, cache_dir)
    kept = np.isin(annotations.codes, [CODES.index(name) for name in EIGHT[:classes]])
    notes = {**annotations.notes, "dropped": _counts(annotations.codes[~kept])}
    paths = [path.decode() for path in annotations.paths[kept].tolist()]
    found = listing.located(annotations.folder, root, paths, on_bad_image)
    missing = [path for path, present in zip(paths, found.present.tolist(), strict=True) if not present]
    notes |= {} if not missing else {"missing_images": len(missing)}
    dropped = {
        f"images of {name} ({'dataset.classes=7' if name in EIGHT else 'no expression'})": count
        for name, count in notes["dropped"].items()
    }
    dropped |= {"images that are not there": len(missing), "malformed annotations": len(annotations.rejected)}
    dropped |= {"images without annotation": notes.get("images_without_annotation", 0)}
    passed_over.told(root, counts=dropped)
    rejected = [*annotations.rejected, *((path, "is not there") for path in missing)]
    if rejected and (file := data_cache.keep_list(cache_dir, "rejected_rows", rejected)) is not None:
        notes["rejected_rows"] = file
    rows = np.flatnonzero(kept)[found.present]
    label_of = np.array([EIGHT.index(name) if name in EIGHT else -1 for name in CODES])
    boxes = None if annotations.boxes is None else annotations.boxes[rows]
    labels = label_of[annotations.codes[rows]]
    unused = np.delete(annotations.paths, rows)
    left_out = [os.path.join(annotations.folder, path.decode()) for path in unused.tolist()]
    official_val = annotations.official_val[rows]
    parts = np.where(official_val, "val", "train")
    listed = Listed(root, found.files, labels, EIGHT[:classes], None, boxes, notes, left_out, parts)
    masks = {"train": ~official_val} | {
        name: official_val for name, spec in (("val", val), ("test", test)) if spec == "val"
    }
    reading = Reading(image_size, channels, on_bad_image, split_seed, Corrections(exclude, relabel), cache_dir)
    return divided(listed, masks, val, test, reading)


def _annotations(root: Path, on_bad_image: Literal["error", "skip"], cache_dir: str) -> Annotations:
    """Reads whichever form lies there."""
    above, images = _form(root)
    if images is not None:
        return affectnet_csv.read(above, images, root, on_bad_image, cache_dir)
    return affectnet_npy.read(above, root, on_bad_image, cache_dir)


def _form(root: Path) -> tuple[Path, Path | None]:
    """Returns the folder that holds the annotations, and that of the images where these are tables."""
    table, images = listing.find(root, affectnet_csv.TABLES[1]), listing.find(root, affectnet_csv.IMAGES)
    if table is not None and images is not None:
        return table.parent, images
    sets = [listing.find(root, name) for name in affectnet_npy.SETS]
    if sets[0] is not None and sets[1] is not None and sets[0].parent == sets[1].parent:
        return sets[0].parent, None
    held = ", ".join(entry.name for entry in listing.entries(root, root)) or "nothing"
    raise DataError(
        f"`dataset.path` must be the folder of AffectNet that holds {', '.join(affectnet_csv.TABLES)} and "
        f"{affectnet_csv.IMAGES}, or {' and '.join(affectnet_npy.SETS)}. Received: {root}, which holds {held}. Class "
        "folders that are named by its numbers, such as train/0 to train/7, are read with dataset=image_folder "
        "dataset.codes=affectnet."
    )


def _counts(codes: np.ndarray) -> dict[str, Any]:
    return {CODES[code]: int(count) for code, count in enumerate(np.bincount(codes)) if count}
