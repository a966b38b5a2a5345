"""RAF-DB, the aligned faces of its single-label part, divided as its authors did.

Called through `config.build`. Reads `EmoLabel/list_patition_label.txt` (spelled so in the release) and
`Image/aligned/*_aligned.jpg`, or copies in folders that are named by the numbers, `train/5/*.jpg`; `image_folders`
decodes and divides the images.

Source: Li, Deng and Du, "Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in
the Wild", CVPR 2017, http://www.whdeng.cn/RAF/model1.html.
"""

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp.data import data_cache, label_codes
from fer_exp.data.corrections import Corrections
from fer_exp.data.emotions import EMOTIONS
from fer_exp.data.folders import listing, passed_over
from fer_exp.data.folders.listing import ImageFile
from fer_exp.data.fractions import SplitFraction
from fer_exp.data.image_folders.division import Listed, Reading, divided
from fer_exp.data.label_codes import RAFDB as _CODES
from fer_exp.dataset import Splits
from fer_exp.errors import DataError
from fer_exp.signature import InputPath, NonNegativeInt, PositiveInt

_LINE = re.compile(r"((?:train|test)_\d+)\.jpg\s+([1-7])\s*")
_Found = tuple[list[ImageFile], np.ndarray, np.ndarray, dict[str, Any], list[str]]
"""Files, codes, which are for training, notes, and paths of those that are left out because they are not there."""
_LIST = "list_patition_label.txt"
_LIST_BYTES = 16 * 2**20  # forty times the real one


def glance(*, path: str, **others: Any) -> None:
    """Refuses a folder that is laid out otherwise; see the contract."""
    root = listing.root_of(path)
    if _list_of(root) is None:
        _parts_of(root)


def build(
    *,
    path: InputPath,
    val: SplitFraction,
    image_size: PositiveInt,
    channels: Literal[1, 3],
    on_bad_image: Literal["error", "skip"],
    split_seed: NonNegativeInt,
    exclude: InputPath | None,
    relabel: InputPath | None,
    cache_dir: str,
) -> Splits:
    """Reads RAF-DB; the official test images are the test split.

    Args:
        path: Folder `basic` of the release, which holds `EmoLabel` and `Image`, or a copy that holds `train` and
            `test` with the folders 1 to 7; or the folder above. `~` expands.
        val: Validation split: a stratified fraction of the official training images, above 0 and below 1.
        image_size: Height and width every image is resized to, in pixels, at least 1; the originals have 100.
        channels: 1 for grey, 3 for RGB.
        on_bad_image: Either `error` (the first malformed line, missing image or image that cannot be decoded
            stops the run) or `skip` (such images are left out and counted).
        split_seed: Seed of the stratified fraction, at least 0.
        exclude: CSV with a column `name`: images of train and val to leave out; null for none.
        relabel: CSV with the columns `name` and `label`: images of train and val to label anew; null for none.
        cache_dir: Folder that keeps the decoded arrays between runs; may be deleted at any time. `~` expands.

    Raises:
        DataError: If the folder is laid out otherwise, a line is malformed, or an image is missing or damaged.
    """
    root = listing.root_of(path)
    files, codes, train, notes, left_out = _released(root, on_bad_image, cache_dir) or _copied(root)
    labels = np.array([-1, *(EMOTIONS.index(_CODES[code]) for code in sorted(_CODES))])[codes]
    listed = Listed(root, files, labels, EMOTIONS, notes=notes, left_out=left_out)
    reading = Reading(image_size, channels, on_bad_image, split_seed, Corrections(exclude, relabel), cache_dir)
    return divided(listed, {"train": train, "test": ~train}, val, "test", reading)


def _released(root: Path, on_bad_image: Literal["error", "skip"], cache_dir: str) -> _Found | None:
    """Reads the release; None if it is not there."""
    listed = _list_of(root)
    if listed is None:
        return None
    labels = listed.parent
    labelled, malformed = _labelled(listed, on_bad_image)
    paths = [f"Image/aligned/{name}_aligned.jpg" for name in labelled]
    found = listing.located(labels.parent, root, paths, on_bad_image)
    missing = [path for path, present in zip(paths, found.present.tolist(), strict=True) if not present]
    notes: dict[str, Any] = {} if not malformed else {"malformed_lines": len(malformed)}
    notes |= {} if not missing else {"missing_images": len(missing)}
    rejected = [*malformed, *((path, "is not there") for path in missing)]
    passed_over.told(root, counts={"malformed lines": len(malformed), "images that are not there": len(missing)})
    if rejected and (file := data_cache.keep_list(cache_dir, "rejected_rows", rejected)) is not None:
        notes["rejected_rows"] = file
    codes = np.array(list(labelled.values()), np.int64)[found.present]
    train = np.array([name.startswith("train") for name in labelled], bool)[found.present]
    left_out = [str(labels.parent / path) for path in missing]
    return found.files, codes, train, {"layout": "released", **notes}, left_out


def _copied(root: Path) -> _Found:
    """Reads `train/5/*.jpg` and `test/5/*.jpg`."""
    train, test = _parts_of(root)
    files: list[ImageFile] = []
    others: list[str] = []
    codes: list[int] = []
    counts = []
    for part in (train, test):
        for folder in listing.folders(part, root):
            if folder.name not in map(str, _CODES):
                raise DataError(
                    f"{folder.path}: the folders of a copy of RAF-DB must be named 1 to 7. Folders named by "
                    "expressions, or by the numbers of another data set, are read with dataset=image_folder"
                    f"{label_codes.advice([folder.name for folder in listing.folders(part, root)])}."
                )
            images, more = listing.images(Path(folder.path), root)
            files += images
            others += more
            codes += [int(folder.name)] * len(images)
        counts.append(len(files))
    notes = {"layout": "folders", **passed_over.told(root, others)}
    return files, np.array(codes, np.int64), np.arange(len(files)) < counts[0], notes, []


def _list_of(root: Path) -> Path | None:
    labels = listing.find(root, "EmoLabel")
    return labels / _LIST if labels is not None and (labels / _LIST).is_file() else None


def _parts_of(root: Path) -> tuple[Path, Path]:
    """Returns the folders `train` and `test` of a copy."""
    train, test = listing.find(root, "train"), listing.find(root, "test")
    if train is None or test is None or train.parent != test.parent:
        held = ", ".join(entry.name for entry in listing.entries(root, root)) or "nothing"
        raise DataError(
            f"`dataset.path` must be the folder `basic` of RAF-DB, with EmoLabel/{_LIST} and Image/aligned, or a copy "
            f"with the folders train and test, and in these 1 to 7. Received: {root}, which holds {held}. Folders 1 "
            "to 7 in other splits, or in none, are read with dataset=image_folder dataset.codes=rafdb."
        )
    return train, test


def _labelled(file: Path, on_bad_line: Literal["error", "skip"]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Returns the code of each image, by name without suffix, and the lines that were left out, each with its fault."""
    try:
        if file.stat().st_size > _LIST_BYTES:
            raise DataError(f"{file} must be the list of RAF-DB, of at most {_LIST_BYTES:,} bytes. It has more.")
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}. Check its permissions.") from error
    labelled: dict[str, int] = {}
    malformed: list[tuple[str, str]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        read = _LINE.fullmatch(line)
        if read is not None and read[1] not in labelled:
            labelled[read[1]] = int(read[2])
            continue
        fault = "names an image again" if read is not None else "is malformed"
        if on_bad_line == "error":
            raise DataError(
                f"{file}, line {number} {fault}. Expected a new `train_00001.jpg 5`, the number from 1 to 7. Received: "
                f"{line[:80]!r}. Correct it, or leave such lines out: dataset.on_bad_image=skip"
            )
        malformed.append((f"{file.name}, line {number}", fault))
    if not labelled:
        raise DataError(f"{file} holds no lines such as `train_00001.jpg 5`.")
    return labelled, malformed
