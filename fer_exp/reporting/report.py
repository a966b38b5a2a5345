"""The files a person opens after a run: pictures and tables, in the run's folder.

Called by `experiment`, which logs the folders. It must not know where they are logged.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from fer_exp.assessment import metrics
from fer_exp.data import csv_cells, shown
from fer_exp.data.stored_rows import Rows
from fer_exp.dataset import Split
from fer_exp.record import layout
from fer_exp.reporting import figure, figure_writer, image_sheets, tables


def write_samples(folder: Path, pictures: Rows, labels: np.ndarray, class_names: tuple[str, ...]) -> None:
    """Draws training images as the model sees them.

    Args:
        folder: The run's folder.
        pictures: uint8 (n, height, width, channels), of rows after augmentation; see `shown`.
        labels: int (n,).
        class_names: Name of each class, in label order.
    """
    sheet = image_sheets.samples(pictures, labels, class_names, title="Training images after augmentation")
    figure_writer.save(sheet, _in(folder, layout.FIGURES) / "training_samples.png")


def write_pruning(folder: Path, table: pd.DataFrame) -> None:
    """Writes which channels were removed.

    Args:
        folder: The run's folder.
        table: One row for each group of channels.
    """
    csv_cells.safe(table).to_csv(_in(folder, layout.TABLES) / "pruning.csv", index=False)


def write_reproduction(folder: Path, table: pd.DataFrame) -> None:
    """Writes how the run compares with the one that it repeats.

    Args:
        folder: The run's folder.
        table: One row for each thing compared.
    """
    csv_cells.safe(table).to_csv(_in(folder, layout.TABLES) / "reproduction.csv", index=False)


def write_history(folder: Path, history: pd.DataFrame, stage_starts: list[int], best_epoch: int) -> None:
    """Draws the training curves and writes their numbers.

    Args:
        folder: The run's folder.
        history: One row for each epoch.
        stage_starts: First epoch of each fine-tuning stage but the first.
        best_epoch: Epoch whose weights were kept.
    """
    curves = figure.training_curves(history, stage_starts, best_epoch)
    figure_writer.save(curves, _in(folder, layout.FIGURES) / "training_curves.png")
    history.to_csv(_in(folder, layout.TABLES) / "history.csv", index=False)


def write_evaluation(folder: Path, evaluation: metrics.Evaluation, test: Split, split: str = "test") -> None:
    """Draws and writes what a split says of the model.

    Args:
        folder: The run's folder.
        evaluation: Of the split.
        test: The split itself, of which pictures are shown.
        split: Its name.
    """
    figures, lists = _in(folder, layout.FIGURES), _in(folder, layout.TABLES)
    for name, normalize in (("counts", False), ("normalized", True)):
        matrix = figure.confusion_matrix(evaluation, normalize, f"Confusion matrix, {split} split ({name})")
        figure_writer.save(matrix, figures / f"confusion_matrix_{name}.png")
    figure_writer.save(
        image_sheets.confidently_wrong(evaluation, shown.pictures(test.inputs, test.specs)),
        figures / "confidently_wrong.png",
    )
    csv_cells.safe(tables.confusion_table(evaluation)).to_csv(lists / "confusion_matrix.csv")
    csv_cells.safe(tables.confused_pairs(evaluation, most=20)).to_csv(lists / "most_confused_pairs.csv", index=False)
    (lists / "most_confused_pairs.txt").write_text(
        "\n".join(tables.describe_confusions(evaluation, split=split)) + "\n"
    )
    csv_cells.safe(tables.classification_table(evaluation)).to_csv(lists / "classification_report.csv")
    (lists / "classification_report.txt").write_text(tables.classification_text(evaluation))
    csv_cells.safe(tables.predictions_table(evaluation)).to_csv(folder / layout.PREDICTIONS, index=False)


def write_sources(folder: Path, found: Mapping[str, metrics.Evaluation]) -> None:
    """Writes what each source of the images says of the model.

    Args:
        folder: The run's folder.
        found: Evaluation of the images of each source, by its name.
    """
    csv_cells.safe(tables.sources_table(found)).to_csv(_in(folder, layout.TABLES) / "per_source.csv", index=False)


def _in(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True, exist_ok=True)
    return folder / name
