"""CK+, the extended Cohn-Kanade sequences, divided by person: as released, or as the copy "CK+48".

Called through `config.build`. Neighbouring frames are near copies and each person shows several expressions, so a
division by image would test on faces that were trained on. `image_folders` walks, decodes and divides.

Source: Lucey et al., "The Extended Cohn-Kanade Dataset (CK+)", CVPR Workshops 2010,
https://doi.org/10.1109/CVPRW.2010.5543262.
"""

import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp.data.corrections import Corrections
from fer_exp.data.emotions import EIGHT, EMOTIONS, canonical
from fer_exp.data.faces import FaceCrop
from fer_exp.data.folders import listing, passed_over
from fer_exp.data.folders.listing import ImageFile
from fer_exp.data.fractions import SplitFraction
from fer_exp.data.image_folders.division import Listed, Reading, divided
from fer_exp.data.label_codes import CKPLUS as _CODES
from fer_exp.dataset import Splits
from fer_exp.errors import DataError
from fer_exp.signature import InputPath, NonNegativeFloat, NonNegativeInt, PositiveInt

_IMAGES, _LABELS, _COPY = "cohn-kanade-images", "Emotion", "CK+48"
_FRAME = re.compile(r"(S\d+)_(\d+)_\d+\.\w+")
_LABEL_BYTES = 64  # a label file holds one number


@dataclass(frozen=True)
class _Sequence:
    """Frames of one person going from no expression to its peak, in order of time, and what they show at the end."""

    person: str
    emotion: str
    frames: Sequence[ImageFile]


def glance(*, path: str, neutral: bool, **others: Any) -> None:
    """Refuses a folder that is laid out otherwise; see the contract."""
    _layout(listing.root_of(path), neutral)


def build(
    *,
    path: InputPath,
    val: SplitFraction,
    test: SplitFraction,
    frames: PositiveInt,
    neutral: bool,
    contempt: Literal["keep", "drop"],
    image_size: PositiveInt,
    channels: Literal[1, 3],
    faces: Literal["none", "haar"],
    face_margin: NonNegativeFloat,
    face_alignment: Literal["eyes", "none"],
    on_bad_image: Literal["error", "skip"],
    split_seed: NonNegativeInt,
    exclude: InputPath | None,
    relabel: InputPath | None,
    cache_dir: str,
) -> Splits:
    """Reads CK+ and divides it so that no person is in two splits.

    Args:
        path: Folder that holds `cohn-kanade-images` and `Emotion`, or the folder `CK+48`. `~` expands.
        val: Validation split: a fraction of the images, above 0 and below 1, met as well as whole persons allow.
        test: Test split: the same.
        frames: How many frames at the end of each labelled sequence show its expression, at least 1; `CK+48` has 3.
        neutral: Whether the first frame of each labelled sequence is taken as neutral; `CK+48` has none.
        contempt: Either `keep` (as the last class) or `drop`.
        image_size: Height and width every image is resized to, in pixels, at least 1; proportions are not
            kept.
        channels: 1 for grey, 3 for RGB.
        faces: Either `none` (every image is a face, as in `CK+48`) or `haar` (the face is cut out of each picture, and
            pictures in which none is found are left out, counted and listed).
        face_margin: What is added to each side of a face, as a share of its width, at least 0.
        face_alignment: Either `eyes` (a face is turned until its eyes are level, where both are found) or `none`.
        on_bad_image: Either `error` (the first image that cannot be decoded stops the run) or `skip`
            (such images are left out and counted).
        split_seed: Seed of the division, at least 0.
        exclude: CSV with a column `name`: images of train and val to leave out; null for none.
        relabel: CSV with the columns `name` and `label`: images of train and val to label anew; null for none.
        cache_dir: Folder that keeps the decoded arrays between runs; may be deleted at any time. `~` expands.

    Raises:
        DataError: If the folder is laid out otherwise, a label or a file name is malformed, or an image is damaged.
    """
    if (file := Path(path).expanduser()).is_file():
        raise DataError(
            f"`dataset.path` must be the folder of CK+. Received: {file} (a file). CK+ as a csv in the form of "
            f"FER2013's (ckextended.csv) is read with dataset=fer2013 dataset.path={shlex.quote(str(file))} "
            "dataset.classes=8; it names no persons, so that near copies of test images are trained on."
        )
    root = listing.root_of(path)
    sequences, notes = _sequences(root, neutral)
    taken: list[tuple[ImageFile, str, str]] = []
    short = 0
    for sequence in sequences:
        peak = sequence.frames[int(neutral) :][-frames:]
        short += len(peak) < frames
        taken += [(file, sequence.emotion, sequence.person) for file in peak]
        taken += [(sequence.frames[0], "neutral", sequence.person)] if neutral else []
    if contempt == "drop":
        kept = [image for image in taken if image[1] != "contempt"]
        notes |= {"dropped": {"contempt": len(taken) - len(kept)}}
        taken = kept
    if short:
        notes["short_sequences"] = short
    others = notes.pop("others")
    without = {"sequences without a label": notes.get("unlabelled_sequences", 0)}
    without |= {"images of contempt (dataset.contempt=drop)": notes.get("dropped", {}).get("contempt", 0)}
    notes |= passed_over.told(root, others, counts=without)
    names = _class_names(neutral or any(sequence.emotion == "neutral" for sequence in sequences), contempt)
    labels = np.array([names.index(emotion) for _, emotion, _ in taken], np.int64)
    persons = np.array([person for *_, person in taken])
    files = [file for file, *_ in taken]
    frames_held = {file.path for sequence in sequences for file in sequence.frames}
    left_out = sorted(frames_held - {file.path for file in files})
    listed = Listed(root, files, labels, names, groups=persons, notes=notes, left_out=left_out)
    face = FaceCrop(face_margin, face_alignment) if faces == "haar" else None
    corrections = Corrections(exclude, relabel)
    reading = Reading(image_size, channels, on_bad_image, split_seed, corrections, cache_dir, face)
    return divided(listed, {"train": np.ones(len(taken), bool)}, val, test, reading)


def _class_names(neutral: bool, contempt: str) -> tuple[str, ...]:
    names = EIGHT if contempt == "keep" else EMOTIONS
    return tuple(name for name in names if neutral or name != "neutral")


def _sequences(root: Path, neutral: bool) -> tuple[list[_Sequence], dict[str, Any]]:
    """Returns the labelled sequences of either layout."""
    layout = _layout(root, neutral)
    return _copied(layout, root) if isinstance(layout, dict) else _released(*layout, root)


def _layout(root: Path, neutral: bool) -> tuple[Path, Path] | dict[str, Path]:
    """Returns the folders of images and labels of the release, or those of each class of a copy."""
    images, labels = listing.find(root, _IMAGES), listing.find(root, _LABELS)
    if images is not None and labels is not None:
        return images, labels
    copy = root if root.name == _COPY else listing.find(root, _COPY) or root
    classes: dict[str, Path] = {}
    for entry in listing.folders(copy, root):
        other = classes.setdefault(canonical(entry.name), Path(entry.path))
        if other.name != entry.name:
            raise DataError(f"{copy}: the folders {other.name} and {entry.name} mean the same class. Merge them.")
    if not classes or not classes.keys() <= set(EIGHT):
        lacking = f" It lacks {_LABELS if images else _IMAGES}." if images or labels else ""
        held = ", ".join(entry.name for entry in listing.entries(root, root)) or "nothing"
        raise DataError(
            f"`dataset.path` must be the folder of CK+ that holds {_IMAGES} and {_LABELS}, or {_COPY} with a folder "
            f"for each expression. Received: {root}, which holds {held}.{lacking} Folders that are named by its "
            "numbers are read with dataset=image_folder dataset.codes=ckplus, which does not keep persons apart."
        )
    if neutral:
        raise DataError(
            f"`dataset.neutral`=true takes the first frame of each sequence, but {copy} is {_COPY}, which holds the "
            "last three only. Use dataset.neutral=false, or the release with all frames."
        )
    return classes


def _released(images: Path, labels: Path, root: Path) -> tuple[list[_Sequence], dict[str, Any]]:
    """Reads `Emotion/S005/001/*_emotion.txt` and the frames beside, `cohn-kanade-images/S005/001/*.png`."""
    found, others = [], list[str]()
    for person in listing.folders(labels, root):
        for sequence in listing.folders(Path(person.path), root):
            files = [e for e in listing.entries(Path(sequence.path), root) if e.name.endswith(".txt")]
            if len(files) > 1:
                raise DataError(f"{sequence.path} must hold one label. It holds {files[0].name} and {files[1].name}.")
            if files:
                emotion = _emotion(Path(files[0].path))
                frames, more = _frames(images / person.name / sequence.name, root)
                found.append(_Sequence(person.name, emotion, frames))
                others += more
    if not found:
        raise DataError(f"{labels} holds no labels. Expected S005/001/S005_001_00000011_emotion.txt and others in it.")
    sequences = sum(len(listing.folders(Path(person.path), root)) for person in listing.folders(images, root))
    return found, {"layout": "released", "unlabelled_sequences": sequences - len(found), "others": others}


def _frames(folder: Path, root: Path) -> tuple[list[ImageFile], list[str]]:
    frames, others = listing.images(folder, root) if folder.is_dir() else ([], [])
    if len(frames) < 2:
        raise DataError(f"{folder} has a label, but {len(frames)} frames. Unpack the images whole.")
    return frames, others


def _emotion(file: Path) -> str:
    with file.open("rb") as opened:
        content = opened.read(_LABEL_BYTES).decode("ascii", "replace").strip()
    try:
        code = float(content)
    except ValueError:
        code = math.nan
    if code not in range(len(_CODES)):
        raise DataError(
            f"{file} must hold a number from 0 to {len(_CODES) - 1}, such as 3.0000000e+00. Received: {content!r}."
        )
    return _CODES[int(code)]


def _copied(classes: dict[str, Path], root: Path) -> tuple[list[_Sequence], dict[str, Any]]:
    """Reads `CK+48/<class>/S010_004_00000017.png`: the name says the person and the sequence."""
    found: dict[tuple[str, str, str], list[ImageFile]] = {}
    others: list[str] = []
    for emotion, folder in classes.items():
        files, more = listing.images(folder, root)
        others += more
        for file in files:
            name = _FRAME.fullmatch(Path(file.path).name)
            if name is None:
                raise DataError(
                    f"{file.path} must be called as in {_COPY}, such as S010_004_00000017.png: the name says whose "
                    "face it is. Images without persons are read with dataset=image_folder."
                )
            found.setdefault((name[1], name[2], emotion), []).append(file)
    sequences = [_Sequence(person, emotion, frames) for (person, _, emotion), frames in sorted(found.items())]
    if not sequences:
        raise DataError(f"{root}: the folders {', '.join(classes)} hold no images.")
    return sequences, {"layout": _COPY, "others": others}
