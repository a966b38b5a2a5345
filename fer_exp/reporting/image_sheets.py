"""Sheets of images: the most confident mistakes, samples of each class, any with captions; and the paper for others.

Called by `report`, `assessment` and the doctor with images and results that are already computed; each is a matplotlib
`Figure`. It must not know models, tracking or where files belong.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fer_exp.assessment.metrics import Evaluation
from fer_exp.data.stored_rows import Rows
from fer_exp.reporting.abridged import MOST_CLASSES, short, spread
from fer_exp.reporting.figure_style import DPI, FAINT, INK, headline, headline_height

_WIDE, _WIDEST = 2.5, 3.0  # proportions from which on an image is a strip; squares that a strip may be wide
_MOST_OF_A_CAPTION = 36  # letters of a line, under an image


def confidently_wrong(evaluation: Evaluation, images: Rows, most: int = 24) -> Figure:
    """Draws the wrongly classified images the model was most certain about, most certain first.

    Args:
        evaluation: Predictions on `images`.
        images: uint8 (n, height, width, channels), channels 1 or 3, in the order of the evaluation.
        most: Largest number of images, >= 1.

    Raises:
        ValueError: If `images` does not fit the evaluation.
    """
    _check_images(images, len(evaluation))
    wrong = np.flatnonzero(evaluation.labels != evaluation.predictions)
    confidence = evaluation.probabilities.max(axis=1)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    subtitle = f"true → predicted with its probability; {len(shown)} of {len(wrong):,} mistakes"
    subtitle += f" in {len(evaluation):,} images"
    if not len(wrong):
        subtitle = f"There are none: all {len(evaluation):,} images are classified correctly."
    cell = _cell(images.shape[1:], 1.4)
    width, height, across = (
        cell.width,
        cell.height + 0.35,
        max(1, round(6 * 1.4 / cell.width)),
    )  # inches, cells in a row
    figure, axes = sheet(
        width * min(max(len(shown), 4), across),
        height * math.ceil(len(shown) / across),
        "The most confident mistakes",
        subtitle,
    )
    for position, index in enumerate(shown):
        left, top = width * (position % across), height * (position // across)
        place(axes, images[index], left + 0.06, top, width - 0.12, cell.height - 0.12)
        true, predicted = (short(evaluation.class_names[c[index]]) for c in (evaluation.labels, evaluation.predictions))
        caption = f"{true} → {predicted}\n{100 * confidence[index]:.0f} %"
        # A line of n characters is about 0.58 n times the font size wide.
        size = min(9.0, 72 * width / (0.58 * caption.index("\n")))
        style = {"ha": "center", "va": "top", "fontsize": size, "color": INK, "parse_math": False}
        axes.text(left + width / 2, top + cell.height - 0.08, caption, **style)
    return figure


def samples(
    images: Rows,
    labels: np.ndarray,
    class_names: Sequence[str],
    per_class: int = 8,
    title: str = "Samples",
) -> Figure:
    """Draws a sheet with one row of images for each class, spread evenly over the class's images.

    Of more classes than have room, some are drawn, at even distances.

    Args:
        images: uint8 (n, height, width, channels), channels 1 or 3.
        labels: int (n,), 0 <= label < number of classes.
        class_names: Name of each class, in label order.
        per_class: Largest number of images in a row, >= 1.
        title: First line.

    Raises:
        ValueError: If `images` does not fit the labels.
    """
    _check_images(images, len(labels))
    drawn = spread(len(class_names), MOST_CLASSES)
    called = [short(class_names[label]) for label in drawn]
    cell, left = _cell(images.shape[1:], 0.92), 0.35 + 0.085 * max(map(len, called))  # inches
    width, side = cell.width, max(cell.height, 0.5)  # two lines beside it need as much
    per_class = max(1, round(per_class * 0.92 / width))
    subtitle = f"{len(labels):,} images; below each name the number of its images"
    subtitle += f"; {len(drawn)} of {len(class_names):,} classes" if len(drawn) < len(class_names) else ""
    figure, axes = sheet(left + width * per_class, side * len(drawn), title, subtitle)
    for row, (label, name) in enumerate(zip(drawn, called, strict=True)):
        members = np.flatnonzero(labels == label)
        shown = members[np.linspace(0, len(members) - 1, min(per_class, len(members))).round().astype(int)]
        for column, index in enumerate(shown):
            place(axes, images[index], left + width * column, side * row, width - 0.06, side - 0.06)
        middle = side * (row + 0.5) - 0.03
        axes.text(left - 0.12, middle, name, ha="right", va="bottom", fontsize=10, color=INK, parse_math=False)
        count = f"{len(members):,}" if len(members) else "none"
        axes.text(left - 0.12, middle + 0.03, count, ha="right", va="top", fontsize=8.5, color=FAINT)
    return figure


def captioned(
    groups: Sequence[Sequence[np.ndarray]],
    captions: Sequence[Sequence[str]],
    title: str,
    subtitle: str,
    across: int = 9,
) -> Figure:
    """Draws images with a caption each; those of a group stand side by side in a frame.

    Args:
        groups: Images of each group, uint8 (height, width, channels); a single group is drawn as a plain grid.
        captions: One for each image, two short lines at most.
        title: First line.
        subtitle: Second line.
        across: Images in a row, >= the largest group.
    """
    framed = len(groups) > 1
    if not framed:
        groups, captions = [[image] for image in groups[0]], [[text] for text in captions[0]]
    cell = _cell(groups[0][0].shape, 1.12)
    width, height, gap = cell.width, cell.height + 0.38, 0.14 if framed else 0.0  # inches of a cell, and between frames
    across = max(1, round(across * 1.12 / width), max(map(len, groups)))
    places, left, top = [], 0.0, 0.0
    for group in groups:
        if left and left + len(group) * width > across * (width + gap / 2) + 1e-6:
            left, top = 0.0, top + height + gap
        places.append((left, top))
        left += len(group) * width + gap
    right = max(left + len(group) * width for group, (left, _) in zip(groups, places, strict=True))
    figure, axes = sheet(right, top + height, title, subtitle)
    for group, texts, (left, top) in zip(groups, captions, places, strict=True):
        if framed:
            size = (len(group) * width, height)
            axes.add_patch(
                Rectangle((left, top), *size, facecolor="#f3f4f6", edgecolor="#d5d8dc", linewidth=0.8, zorder=-1)
            )
        for number, (image, text) in enumerate(zip(group, texts, strict=True)):
            place(axes, image, left + number * width + 0.05, top + 0.05, width - 0.1, cell.height - 0.1)
            text = "\n".join(short(line, _MOST_OF_A_CAPTION) for line in text.split("\n"))
            longest = max(map(len, text.split("\n")))
            font = min(8.0, 72 * (width - 0.04) / (0.56 * longest))  # a line of n characters is about 0.56 n sizes wide
            middle = left + (number + 0.5) * width
            style = {"ha": "center", "va": "top", "fontsize": font, "color": INK, "parse_math": False}
            axes.text(middle, top + cell.height - 0.03, text, **style)
    return figure


def sheet(width: float, height: float, title: str, subtitle: str) -> tuple[Figure, Axes]:
    """Returns a figure and axes whose coordinates are inches from the top left, below the headline.

    Args:
        width: Of what will be drawn, in inches.
        height: The same.
        title: First line.
        subtitle: Lines below it.
    """
    margin, top = 0.12, headline_height(subtitle)
    total_width, total_height = max(width, 5.6) + 2 * margin, height + top + margin
    figure = Figure((total_width, total_height), DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-margin, total_width - margin), ylim=(height + margin, -top))
    axes.set_axis_off()
    headline(figure, title, subtitle)
    return figure, axes


@dataclass(frozen=True)
class _Cell:
    """The room of one image, in inches."""

    width: float
    height: float


def _cell(shape: Sequence[int], side: float) -> _Cell:
    """Returns a square, or for a strip what is wider and lower: its frames must be seen.

    Args:
        shape: (height, width, channels) of the images.
        side: Of the square, in inches.
    """
    proportion = shape[1] / shape[0]
    if proportion <= _WIDE:
        return _Cell(side, side)
    width = side * min(proportion / 2, _WIDEST)
    return _Cell(width, width / proportion + 0.12)


def place(axes: Axes, image: np.ndarray, left: float, top: float, across: float, down: float | None = None) -> None:
    """Draws an image into a rectangle, keeping its proportions.

    Args:
        axes: From `sheet`.
        image: uint8 (height, width, 1 or 3).
        left: Of the rectangle, in inches.
        top: The same.
        across: Its width.
        down: Its height; None: a square.
    """
    down = across if down is None else down
    scale = min(down / image.shape[0], across / image.shape[1])
    height, width = scale * image.shape[0], scale * image.shape[1]
    left, top = left + (across - width) / 2, top + (down - height) / 2
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    axes.imshow(
        pixels,
        cmap="gray",
        vmin=0,
        vmax=255,
        extent=(left, left + width, top + height, top),
        interpolation="hanning",
        aspect="auto",
    )


def _check_images(images: Rows, count: int) -> None:
    if images.dtype != np.uint8 or len(images.shape) != 4 or images.shape[-1] not in (1, 3) or len(images) != count:
        raise ValueError(
            f"`images` must be uint8 of shape ({count}, height, width, 1 or 3), one image for each label. "
            f"Received: {images.dtype} of shape {images.shape}."
        )
