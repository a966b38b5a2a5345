"""What class folders are called: by their own names, by those a person gives them, or by the codes of a data set.

Called by the option `image_folder`. It looks at no image.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_exp.data import label_codes
from fer_exp.data.emotions import EIGHT, canonical
from fer_exp.data.folders import classes
from fer_exp.data.folders.classes import FolderImage
from fer_exp.data.label_codes import NUMBERINGS, Codes
from fer_exp.errors import DataError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Named:
    """Images whose classes have names.

    Attributes:
        found: The images, without those of folders that are left out.
        class_names: Name of each label, in label order.
        labels: int64 (n,).
        notes: What is worth recording.
        left_out: Paths of the images of folders that are left out.
    """

    found: list[FolderImage]
    class_names: tuple[str, ...]
    labels: np.ndarray
    notes: Mapping[str, Any]
    left_out: Sequence[str] = ()


def named(
    found: Sequence[FolderImage],
    class_names: Sequence[str] | Mapping[str, str | None] | None,
    codes: Codes | None,
    root: Path,
) -> Named:
    """Gives the images their labels.

    Args:
        found: The images, at least one.
        class_names: Names of the class folders in label order; or the name of the class by folder, None for a folder
            that is left out, also as texts `folder=class`; None for the folders' own names.
        codes: Whose codes the folders are named by; None if by none.
        root: The folder, for the messages.

    Raises:
        DataError: If the names do not fit the folders.
    """
    spelled = classes.spelled_classes(found)
    if codes is not None and class_names is not None:
        raise DataError(
            "`dataset.codes` and `dataset.class_names` must not both be given: the codes name the classes. Received: "
            f"codes={codes} and class_names={class_names}."
        )
    if codes is not None:
        return _by_folder(found, _meanings(spelled, codes, root), root)
    if class_names and not isinstance(class_names, Mapping) and all("=" in text for text in class_names):
        class_names = _pairs(class_names)
    if isinstance(class_names, Mapping):
        return _by_folder(found, _mapped(spelled, class_names), root)
    notes: dict[str, Any] = {}
    if class_names is not None:
        names = tuple(class_names)
    elif all(key in EIGHT for key in spelled):
        names = tuple(emotion for emotion in EIGHT if emotion in spelled)
    else:
        names = tuple(sorted(spelled.values(), key=str.casefold))
        notes = _warn_of_numbers(names, root)
    label_of = {canonical(name): label for label, name in enumerate(names)}
    if len(label_of) != len(names):
        raise DataError(f"`dataset.class_names` must not name a class twice. Received: {list(names)}.")
    unnamed = sorted(folder for key, folder in spelled.items() if key not in label_of)
    if unnamed:
        raise DataError(
            f"`dataset.class_names` must name every class folder. Received: {list(names)}; without: {unnamed}. To give "
            f"folders other names: dataset.class_names={{{unnamed[0]}: <name>, ...}}"
        )
    labels = np.array([label_of[canonical(image.folder)] for image in found], np.int64)
    return Named(list(found), names, labels, notes)


def _pairs(texts: Sequence[str]) -> dict[str, str | None]:
    """Returns `folder=class` as a mapping, for folders whose names Hydra does not take as keys."""
    pairs = [text.rpartition("=")[::2] for text in texts]
    found = {folder: None if name == "null" else name for folder, name in pairs}
    if len(found) < len(pairs):
        raise DataError(f"`dataset.class_names` must name each folder once. Received: {list(texts)}.")
    return found


def _meanings(spelled: Mapping[str, str], codes: Codes, root: Path) -> dict[str, str | None]:
    """Returns the class of each folder by its code, in the order of the codes; None for what is no expression."""
    numbering = NUMBERINGS[codes]
    numbers = {key: label_codes.number(folder) for key, folder in spelled.items()}
    strange = [spelled[key] for key, number in numbers.items() if number not in numbering]
    if strange:
        others = [name for name in label_codes.fitting(list(spelled.values())) if name != codes]
        more = f" They fit: dataset.codes=<{' or '.join(others)}>" if others else ""
        raise DataError(
            f"`dataset.codes`={codes} must know all class folders: they are the numbers {min(numbering)} to "
            f"{max(numbering)}. Received: {root} with {', '.join(strange)}.{more}"
        )
    found = sorted((number, key) for key, number in numbers.items() if number is not None)
    return {key: numbering[number] if numbering[number] in EIGHT else None for number, key in found}


def _mapped(spelled: Mapping[str, str], class_names: Mapping[str, str | None]) -> dict[str, str | None]:
    """Returns the class of each folder as a person names it."""
    given = {canonical(str(folder)): name for folder, name in class_names.items()}
    unnamed = sorted(folder for key, folder in spelled.items() if key not in given)
    absent = sorted(str(folder) for folder in class_names if canonical(str(folder)) not in spelled)
    if unnamed or absent or len(given) < len(class_names):
        wrong = [f"without the folders {', '.join(unnamed)}"] if unnamed else []
        wrong += [f"with {', '.join(absent)}, which are no folders"] if absent else []
        raise DataError(
            "`dataset.class_names` must name the class of each class folder once (null leaves a folder out). Received: "
            f"{dict(class_names)}, {' and '.join(wrong) or 'with two spellings of one folder'}."
        )
    return given


def _by_folder(found: Sequence[FolderImage], class_of: Mapping[str, str | None], root: Path) -> Named:
    """Labels images by the class of their folder, expressions in the order of FER2013, other classes as they come."""
    names = tuple(dict.fromkeys(name for name in class_of.values() if name is not None))
    if {canonical(name) for name in names} <= set(EIGHT):
        known = {canonical(name) for name in names}
        names = tuple(emotion for emotion in EIGHT if emotion in known)
    label_of = {canonical(name): label for label, name in enumerate(names)}
    if len(label_of) < len(names) or len(names) < 1:
        raise DataError(f"`dataset.class_names` must name classes, each in one spelling. Received: {list(names)}.")
    of = {key: None if name is None else label_of[canonical(name)] for key, name in class_of.items()}
    labels = [of[canonical(image.folder)] for image in found]
    out = [image for image, label in zip(found, labels, strict=True) if label is None]
    kept = [image for image, label in zip(found, labels, strict=True) if label is not None]
    notes: dict[str, Any] = {}
    if out:
        notes["left_out_classes"] = dict(Counter(image.folder for image in out))
        shown = ", ".join(f"{folder} ({count:,} images)" for folder, count in notes["left_out_classes"].items())
        _log.warning("%s: left out are the class folders %s, to which no class is given.", root, shown)
    if not kept:
        raise DataError(f"{root} must hold images of classes that are not left out. It holds none.")
    numbers = np.array([label for label in labels if label is not None], np.int64)
    return Named(kept, names, numbers, notes, [image.file.path for image in out])


def _warn_of_numbers(names: Sequence[str], root: Path) -> dict[str, Any]:
    """Says that folders are named by numbers which are the codes of some data sets, each of which means others."""
    known = label_codes.fitting(names)
    if not known:
        return {}
    _log.warning(
        "%s: the class folders are numbers (%s), so that models of other data do not fit. If they are codes of "
        "expressions, say whose: dataset.codes=<%s>; or what each means: dataset.class_names={%s: <name>, ...}.",
        root, ", ".join(names), " or ".join(known), names[0],
    )  # fmt: skip
    return {"numbered_classes": list(names)}
