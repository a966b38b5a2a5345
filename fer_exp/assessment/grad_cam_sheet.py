"""The sheet of maps: what a model looked at where it was right, and where it was wrong and sure of it.

Called by `examine`. It is given an explainer and knows no model.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from fer_exp.assessment.grad_cam import Explainer
from fer_exp.assessment.metrics import Evaluation
from fer_exp.reporting.abridged import short
from fer_exp.reporting.figure_style import INK
from fer_exp.reporting.image_sheets import place, sheet

_SIDE, _GAP, _CAPTION, _HEADING = 1.05, 0.2, 0.34, 0.34  # inches
_WIDTH = 10.0
Read = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Choice:
    """Rows of a split.

    Attributes:
        hits: Classified correctly, drawn, one of each class in turn.
        misses: Wrong, the most confident first.
    """

    hits: np.ndarray
    misses: np.ndarray


def choose(evaluation: Evaluation, most: int, seed: int) -> Choice:
    """Chooses what is shown.

    Args:
        evaluation: Of the split.
        most: Largest number of hits, and of misses.
        seed: Of the draw of the hits.
    """
    random = np.random.default_rng(seed)
    right = evaluation.labels == evaluation.predictions
    drawn = random.permutation(np.flatnonzero(right))
    labels = evaluation.labels[drawn]
    turn = np.empty(len(drawn), np.int64)
    for label in np.unique(labels):
        turn[labels == label] = np.arange(np.sum(labels == label))
    hits = drawn[np.lexsort((labels, turn))][:most]
    wrong = np.flatnonzero(~right)
    confidence = evaluation.probabilities.max(axis=1)[wrong]
    return Choice(hits, wrong[np.argsort(-confidence, kind="stable")][:most])


def draw(explainer: Explainer, evaluation: Evaluation, images: Read, most: int, seed: int) -> Figure:
    """Draws hits with the map of their class, and confident misses with those of the predicted and of the true class.

    Args:
        explainer: Of the model that was evaluated.
        evaluation: Its predictions.
        images: Row numbers -> uint8 (rows, height, width, channels), as the model takes them.
        most: Largest number of hits, and of misses, >= 1.
        seed: Of the draw of the hits.
    """
    choice = choose(evaluation, most, seed)
    rows, columns = explainer.cells
    blocks = [("Hits: the image, and what speaks for its class", choice.hits, 2)]
    blocks += [
        ("Confident misses: the image, what speaks for the answer, what speaks for the true class", choice.misses, 3)
    ]
    height = sum(_HEADING + math.ceil(len(found) / _across(wide)) * (_SIDE + _CAPTION) for _, found, wide in blocks)
    figure, axes = sheet(
        _WIDTH,
        height,
        "What the model looks at",
        f"Grad-CAM of {rows} x {columns} cells; each map is scaled to its own largest value\n"
        "hits are drawn with the seed, misses are the most confident ones",
    )
    top = 0.0
    for heading, found, wide in blocks:
        said = heading if len(found) else heading.split(":")[0] + ": there are none"
        axes.text(0, top + 0.06, said, ha="left", va="top", fontsize=10, color=INK)
        top += _HEADING
        across = _across(wide)
        step = (_WIDTH + _GAP) / across
        shown = _pictures(explainer, evaluation, images, found, wide)
        for position, (index, pictures) in enumerate(zip(found, shown, strict=True)):
            left, upper = step * (position % across), top + (_SIDE + _CAPTION) * (position // across)
            for number, picture in enumerate(pictures):
                place(axes, picture, left + _SIDE * number, upper, _SIDE - 0.04)
            caption = _caption(evaluation, int(index))
            size = min(8.5, 72 * (_SIDE * wide + _GAP / 2) / (0.58 * len(caption)))  # a letter is about 0.58 sizes wide
            axes.text(
                left + _SIDE * wide / 2, upper + _SIDE, caption, ha="center", va="top", fontsize=size, color=INK,
                parse_math=False,
            )  # fmt: skip
        top += (_SIDE + _CAPTION) * math.ceil(len(found) / across)
    return figure


def blended(image: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Lays a map over an image: uint8 (height, width, 3), the image in grey where the map is 0.

    Args:
        image: uint8 (height, width, channels).
        strength: float32 (height, width), 0 to 1.
    """
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    colors = 255 * colormaps["inferno"](0.25 + 0.75 * strength)[..., :3]
    opacity = 0.75 * np.sqrt(strength)[..., None]
    return np.rint(grey * (1 - opacity) + colors * opacity).astype(np.uint8)


def _across(wide: int) -> int:
    """Returns how many groups of so many pictures stand in a row."""
    return int((_WIDTH + _GAP) // (_SIDE * wide + _GAP))


def _pictures(
    explainer: Explainer, evaluation: Evaluation, images: Read, rows: np.ndarray, wide: int
) -> list[list[np.ndarray]]:
    """Returns for each row its image, the map of its answer, and, for three pictures, that of its true class."""
    if not len(rows):
        return []
    chosen = images(rows)
    found = [[image] for image in chosen]
    for classes in (evaluation.predictions, evaluation.labels)[: wide - 1]:
        for pictures, image, strength in zip(found, chosen, explainer.maps(chosen, classes[rows]), strict=True):
            pictures.append(blended(image, strength))
    return found


def _caption(evaluation: Evaluation, index: int) -> str:
    true, predicted = (short(evaluation.class_names[row[index]]) for row in (evaluation.labels, evaluation.predictions))
    sure = f"{100 * evaluation.probabilities[index].max():.0f} %"
    return f"{true} {sure}" if true == predicted else f"{true} → {predicted} {sure}"
