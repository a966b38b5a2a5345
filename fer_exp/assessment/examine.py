"""All that is measured of a model on a split beyond its accuracy: numbers, pictures, tables, and what to say of them.

Called by `conclusion` with the test split, and by `evaluate` with any. Files go into the run's folder.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fer_exp.assessment import confidence, curves, grad_cam_sheet, metrics, ranking, robustness
from fer_exp.assessment.corruptions import CORRUPTIONS
from fer_exp.assessment.grad_cam import Explainer, NoMapError
from fer_exp.assessment.metrics import Evaluation
from fer_exp.data import csv_cells, duplicates, inputs
from fer_exp.data.inputs import Inputs
from fer_exp.dataset import Split
from fer_exp.options import config
from fer_exp.record import layout
from fer_exp.reporting import figure_writer

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    """What is examined.

    Attributes:
        evaluation: Predictions on the split.
        split: Its inputs.
        name: Of the split: test, val or train.
        before: The same predictions before temperature scaling; None if there was none.
        earlier: What it was trained on and what chose the epoch, by name, which the split should share no row with;
            empty if that is not to be asked.
        predict: Probabilities (n, classes) of inputs like those of the split, columns as in the evaluation.
        model: The Keras model, for maps of what speaks for a class; None for a file.
        columns: Which of its logits each class of the evaluation has; None if they are in order.
        fit: Makes inputs of the split such as the model takes them.
    """

    evaluation: Evaluation
    split: Split
    name: str
    before: Evaluation | None
    earlier: Mapping[str, Split]
    predict: Callable[[Inputs], np.ndarray]
    model: "keras.Model | None"
    columns: Sequence[int] | None = None
    fit: Callable[[Inputs], Inputs] = dict


@dataclass(frozen=True)
class Examined:
    """What was found.

    Attributes:
        scalars: Numbers to track.
        findings: (what, sentence) for the terminal.
    """

    scalars: dict[str, float]
    findings: list[tuple[str, str]]


def examine(subject: Subject, options: config.Evaluation, folder: Path, seed: int) -> Examined:
    """Measures, draws and writes.

    Args:
        subject: What is examined.
        options: What is asked for beside the curves.
        folder: The run's folder; pictures and tables go below it.
        seed: Of the choice of images and of what is random in corruptions.
    """
    parts = [_ranking(subject, folder), _confidence(subject, folder), _without_leaks(subject, folder)]
    if options.grad_cam:
        _draw_maps(subject, options.grad_cam, folder, seed)
    if options.robustness:
        parts.append(_robustness(subject, options, folder, seed))
    scalars = {name: value for part in parts for name, value in part.scalars.items()}
    return Examined(scalars, [finding for part in parts for finding in part.findings])


def _ranking(subject: Subject, folder: Path) -> Examined:
    evaluation, name = subject.evaluation, subject.name
    found = ranking.rank(evaluation)
    picture = curves.ranking_curves(evaluation, found, f"ROC and precision-recall, {name} split")
    figure_writer.save(picture, folder / layout.FIGURES / "roc_and_precision_recall.png")
    _write(ranking.table(found, evaluation), folder, "ranking.csv")
    if np.isnan(found.macro_auc):
        return Examined({}, [])
    low, high = found.macro_auc_interval
    sentence = f"{found.macro_auc:.4f}  (95 % interval {low:.4f} - {high:.4f}), mean of one class against the rest"
    scalars = ranking.scalars(found, name)
    return Examined(scalars, [(f"{name} ROC-AUC", sentence)])


def _confidence(subject: Subject, folder: Path) -> Examined:
    name, found = subject.name, confidence.measure(subject.evaluation)
    picture = curves.reliability(subject.evaluation, found, f"Reliability, {name} split", subject.before)
    figure_writer.save(picture, folder / layout.FIGURES / "reliability.png")
    _write(confidence.table(subject.evaluation), folder, "reliability.csv")
    scalars, earlier = confidence.scalars(found, name), ""
    if subject.before is not None:
        before = confidence.measure(subject.before)
        scalars |= confidence.scalars(before, f"{name}_uncalibrated")
        earlier = f"; before temperature scaling {100 * before.ece:.2f} %"
    return Examined(scalars, [(f"{name} ECE", f"{100 * found.ece:.2f} %{earlier}")])


def _without_leaks(subject: Subject, folder: Path) -> Examined:
    """Measures again without the images that the model was trained or chosen by, if there are any."""
    if not subject.earlier:
        return Examined({}, [])
    name, evaluation = subject.name, subject.evaluation
    own = duplicates.digests(subject.split.inputs)
    in_each = {title: duplicates.known(own, duplicates.digests(of.inputs)) for title, of in subject.earlier.items()}
    leaked = np.any(list(in_each.values()), axis=0)
    scalars = {f"{name}/leaked_images": float(leaked.sum())}
    if not leaked.any():
        return Examined(scalars, [])
    names = subject.split.names
    rows = np.flatnonzero(leaked)
    where = [" and ".join(title for title, found in in_each.items() if found[row]) for row in rows]
    table = pd.DataFrame({"row": rows, "name": "" if names is None else names[rows], "also_in": where})
    _write(table, folder, "leaked_images.csv")
    told = f"{len(rows):,} of {len(leaked):,} {name} images are also in {' or '.join(in_each)}, pixel for pixel"
    if leaked.all():
        return Examined(scalars, [("leaks", told)])
    clean = metrics.evaluate(evaluation.probabilities[~leaked], evaluation.labels[~leaked], evaluation.class_names)
    scalars |= metrics.scalars(clean, f"{name}_clean")
    told += f"; without them accuracy {clean.accuracy:.4f}, macro-F1 {clean.macro_f1:.4f}"
    return Examined(scalars, [("leaks", told)])


def _draw_maps(subject: Subject, most: int, folder: Path, seed: int) -> None:
    if subject.model is None or not subject.split.is_of_images:
        return
    try:
        explainer = Explainer(subject.model, subject.columns)
    except NoMapError as error:
        log.warning("There is no Grad-CAM sheet: %s", error)
        return

    def read(rows: np.ndarray) -> np.ndarray:
        (images,) = subject.fit(inputs.read(subject.split.inputs, rows)).values()
        return images[:]

    sheet = grad_cam_sheet.draw(explainer, subject.evaluation, read, most, seed)
    figure_writer.save(sheet, folder / layout.FIGURES / "grad_cam.png")


def _robustness(subject: Subject, options: config.Evaluation, folder: Path, seed: int) -> Examined:
    if not subject.split.is_of_images:
        found_instead = inputs.sentence(subject.split.specs)
        log.warning(
            "Robustness is not measured: corruptions are of images, and a row of the data is %s.", found_instead
        )
        return Examined({}, [])
    (name,) = subject.split.inputs
    found = robustness.measure(
        lambda images: subject.predict({name: images}).argmax(axis=1),
        subject.split.images,
        subject.evaluation.labels,
        list(CORRUPTIONS) if options.robustness == "all" else list(dict.fromkeys(options.robustness)),
        options.robustness_images,
        seed,
    )
    figure_writer.save(
        curves.robustness(found, "Accuracy when pictures get worse"), folder / layout.FIGURES / "robustness.png"
    )
    _write(found, folder, "robustness.csv")
    scalars = robustness.scalars(found)
    mean, clean = scalars["robustness/mean"], scalars["robustness/clean"]
    sentence = f"accuracy {mean:.4f} on average over corruptions, {clean:.4f} on the same images as they are"
    return Examined(scalars, [("robustness", sentence)])


def _write(table: pd.DataFrame, folder: Path, name: str) -> None:
    (folder / layout.TABLES).mkdir(parents=True, exist_ok=True)
    csv_cells.safe(table).to_csv(folder / layout.TABLES / name, index=False)
