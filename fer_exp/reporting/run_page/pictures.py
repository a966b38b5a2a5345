"""The figures of a run as they go into a page: in reading order, with captions, small enough to be sent to a phone.

Called by `page`. It takes every PNG that it finds; what it does not know by name comes last, under a caption made of
the file's name. It must not know what a page looks like.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from fer_exp.reporting import html_page

MOST_BYTES = 2_600_000  # of all pictures of a page, as text
# Largest width in pixels and quality in WebP; the first that is small enough is taken.
_STEPS = ((1600, 90), (1400, 80), (1200, 65), (900, 50), (700, 35))
_MOST_PIXELS = 60_000_000  # of a figure
TRAINING, CONFUSION, QUALITY, EXAMPLES, EXPORTS, OTHERS = (
    "Training", "Confusions", "Ranking, calibration, robustness", "Examples", "Exported files", "More figures",
)  # fmt: skip
# Beginning of a file's name -> where it stands; the first that fits counts.
_PLACES = {
    "training_curves": TRAINING,
    "confusion_matrix_normalized": CONFUSION,
    "confusion": CONFUSION,
    "roc": QUALITY,
    "precision_recall": QUALITY,
    "pr_": QUALITY,
    "reliability": QUALITY,
    "calibration": QUALITY,
    "robustness": QUALITY,
    "corruption": QUALITY,
    "training_samples": EXAMPLES,
    "confidently_wrong": EXAMPLES,
    "grad_cam": EXAMPLES,
    "exports": EXPORTS,
}
_CAPTIONS = {
    "training_curves": "Training curves: one panel for each metric, the kept epoch marked",
    "confusion_matrix_normalized": "Confusion matrix in shares of each true class",
    "confusion_matrix_counts": "Confusion matrix in numbers of images",
    "training_samples": "Training images after augmentation, as the model sees them",
    "confidently_wrong": "Test images that the model is surest about and wrong",
    "exports": "Exported files: accuracy against size and time of a call",
    "roc_curves": "ROC curve of each class against the others",
    "precision_recall_curves": "Precision and recall of each class at every threshold",
    "reliability_diagram": "Reliability: how often the model is right, by how sure it is",
    "robustness": "Accuracy under corruptions of the test images",
    "grad_cam": "Grad-CAM: where in the face the decision comes from",
}


@dataclass(frozen=True)
class Picture:
    """A figure inside a page.

    Attributes:
        section: Where it stands.
        caption: What it shows.
        data: `data:` URI.
        width: In pixels.
        height: In pixels.
    """

    section: str
    caption: str
    data: str
    width: int
    height: int


def collect(folder: Path, most_bytes: int = MOST_BYTES) -> tuple[list[Picture], list[str]]:
    """Returns the pictures of a folder in reading order, and the names of those that there was no room for.

    Args:
        folder: With PNG files; it may be missing.
        most_bytes: Of all pictures, as text.
    """
    found = sorted(folder.glob("*.png"), key=lambda file: (_rank(file.stem), file.name))
    huge = [file.name for file in found if _pixels(file) > _MOST_PIXELS]
    files = [file for file in found if file.name not in huge]
    pictures: list[Picture] = []
    for width, quality in _STEPS:
        pictures = [_encoded(file, width, quality) for file in files]
        if _size(pictures) <= most_bytes:
            return pictures, huge
    kept = len(pictures)
    while _size(pictures[:kept]) > most_bytes:
        kept -= 1
    return pictures[:kept], [*huge, *(file.name for file in files[kept:])]


def caption(stem: str) -> str:
    """Returns what a figure shows, by the name of its file without ending."""
    return _CAPTIONS.get(stem, stem.replace("_", " ").strip().capitalize())


def section(stem: str) -> str:
    """Returns where a figure stands, by the name of its file without ending."""
    return next((place for begin, place in _PLACES.items() if stem.startswith(begin)), OTHERS)


def _rank(stem: str) -> int:
    return next((rank for rank, begin in enumerate(_PLACES) if stem.startswith(begin)), len(_PLACES))


def _size(pictures: Sequence[Picture]) -> int:
    return sum(len(picture.data) for picture in pictures)


def _pixels(file: Path) -> int:
    """Returns how many pixels a PNG says it has, which stands at its beginning; nothing is decoded."""
    with file.open("rb") as opened:
        start = opened.read(24)
    return int.from_bytes(start[16:20], "big") * int.from_bytes(start[20:24], "big")


def _encoded(file: Path, width: int, quality: int) -> Picture:
    """Returns a figure as WebP, or as it is where that is smaller and not too wide."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    shown = image if image.width <= width else image.resize((width, round(image.height * width / image.width)))
    packed = io.BytesIO()
    shown.save(packed, "WEBP", quality=quality, method=2)
    kind, content = "webp", packed.getvalue()
    if shown is image and file.stat().st_size <= len(content):
        kind, content = "png", file.read_bytes()
    data = f"data:image/{kind};base64,{html_page.base64_of(content)}"
    return Picture(section(file.stem), caption(file.stem), data, shown.width, shown.height)
