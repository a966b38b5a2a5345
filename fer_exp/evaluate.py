"""Evaluates a trained model on any data set: a run, a registered model, or a `.tflite` file.

    python -m fer_exp.evaluate <run>                                          on the data the run itself was tested on
    python -m fer_exp.evaluate models:/fer@champion dataset=fer2013 dataset.path=fer2013.csv
    python -m fer_exp.evaluate int8.tflite dataset=image_folder dataset.path=faces --split val
    python -m fer_exp.evaluate <run> dataset=image_folder dataset.path=faces --common --file int8

Classes are matched by name. What is measured is shown, written to outputs/evaluate-<time>/, and logged: as a child of
the run, or as a run of its own for a file. `key=value` are overrides as of `python -m fer_exp`.
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fer_exp import commandline, config, folds, metrics, report, store, tables, trained
from fer_exp.dataset import Split, Splits
from fer_exp.errors import ConfigError, DataError, UserError
from fer_exp.image_files import fitted
from fer_exp.image_rows import Images
from fer_exp.tracking import Tracker
from fer_exp.trained import BATCH, Classifier

_RESOLVED = "config/resolved.yaml"


@dataclass(frozen=True)
class Evaluated:
    """What was measured.

    Attributes:
        evaluation: Over the classes that model and data share.
        split: The images it is of.
        notes: What had to be done to them, or to the answers.
    """

    evaluation: metrics.Evaluation
    split: Split
    notes: tuple[str, ...]


def main() -> None:
    """Runs the command line; exits with 0, or 2 or 4 for a user's error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    options = _parser().parse_intermixed_args()
    try:
        run(
            options.model,
            options.overrides,
            options.split,
            options.file,
            options.common,
            Console() if sys.stdout.isatty() else Console(width=140),
        )
    except UserError as error:
        store.refuse(error)


def run(word: str, overrides: Sequence[str], split: str, file: str, common: bool, screen: Console) -> str:
    """Evaluates a model, shows what is found, writes and logs it.

    Args:
        word: The model, as of `trained.opened`.
        overrides: As of the main program: what they say of `dataset`, `fold` and `tracking` counts.
        split: train, val or test.
        file: Which file of a run.
        common: Leave out the classes that model and data do not share.
        screen: Where the result goes.

    Returns:
        The id of the run that it is logged to.

    Raises:
        UserError: If the model or the data cannot be used, or do not fit; nothing is written or logged then.
    """
    strangers = [entry for entry in overrides if "=" not in entry and not entry.startswith("~")]
    if strangers:
        raise ConfigError([f"Overrides must be key=value. Received: {strangers[0]}."])
    jobs = commandline.check(overrides)
    if jobs is None:
        raise ConfigError(["Overrides must be key=value."])
    with trained.opened(word, file, overrides) as model:
        experiment = _experiment(jobs.first, model, overrides)
        splits = folds.divide(config.build(experiment.dataset), experiment.folds, experiment.fold)
        found = measure(model, splits, split, common)
    tracker: Tracker = config.build(experiment.tracking, system_metrics=False)
    folder = Path("outputs").absolute() / f"evaluate-{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
    report.write_evaluation(folder, found.evaluation, found.split, split)
    if found.split.sources is not None:
        report.write_sources(folder, _of_sources(found, splits))
    run_id = _log(tracker, folder, model, experiment, splits, split, found)
    screen.print(_table(found, split, model, splits))
    for note in found.notes:
        screen.print(Text(f"note: {note}"), soft_wrap=True)
    screen.print(Text(f"files: {folder}\nlogged: run {run_id} in {tracker.uri}"), soft_wrap=True)
    return run_id


def measure(model: Classifier, splits: Splits, split: str, common: bool) -> Evaluated:
    """Lets a model answer a split.

    Args:
        model: Classes by name, in any order.
        splits: The data set; its images are made grey or RGB and resized as the model takes them.
        split: train, val or test.
        common: Leave out the classes that the two do not share: their images, and the model's answers for them, the
            probabilities of the others being scaled to sum to 1.

    Raises:
        DataError: If model and data do not have the same classes, or, with `common`, fewer than two of the same.
    """
    images: Split = getattr(splits, split)
    shared = [name for name in splits.class_names if name in model.class_names]
    only_model = [name for name in model.class_names if name not in shared]
    only_data = [name for name in splits.class_names if name not in shared]
    if len(shared) < 2 or ((only_model or only_data) and not common):
        raise DataError(_other_classes(splits, only_model, only_data, shared))
    notes = []
    labels = np.array([shared.index(name) if name in shared else -1 for name in splits.class_names])[images.labels]
    images, labels = images.take(labels >= 0), labels[labels >= 0]
    if not len(images):
        raise DataError(
            f"The {split} split of {splits.source} holds no image of the shared classes {', '.join(shared)}."
        )
    if only_model or only_data:
        left = f"{len(getattr(splits, split)) - len(images):,} images"
        notes.append(f"only the shared classes {', '.join(shared)} are evaluated; {left} of others are left out")
    if images.images.shape[1:] != model.image_shape:
        was, now = ("x".join(map(str, shape)) for shape in (images.images.shape[1:], model.image_shape))
        notes.append(f"images of {was} were made {now}, as the model takes them")
    columns = [model.class_names.index(name) for name in shared]
    probabilities, silent = _scaled(_answers(model, images.images)[:, columns])
    if silent:
        notes.append(f"for {silent:,} images the model gave no shared class any probability; all count the same there")
    return Evaluated(
        metrics.evaluate(probabilities, labels, shared), dataclasses.replace(images, labels=labels), tuple(notes)
    )


def _other_classes(splits: Splits, only_model: list[str], only_data: list[str], shared: list[str]) -> str:
    advice = "--common evaluates those that both have" if len(shared) > 1 else "they do not share two classes"
    return (
        f"`dataset` must have the classes of the model. Received: {splits.source}; only the data have "
        f"{', '.join(only_data) or 'none'}, only the model has {', '.join(only_model) or 'none'}: {advice}."
    )


def _answers(model: Classifier, images: Images) -> np.ndarray:
    """Returns probabilities (n, classes of the model)."""

    def fit(image: np.ndarray) -> np.ndarray:
        return fitted(Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image), model.image_shape)

    rows = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            if batch.shape[1:] != model.image_shape:
                batch = np.stack(list(pool.map(fit, batch)))
            rows.append(model.predict(batch))
    return np.concatenate(rows)


def _scaled(probabilities: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns rows that sum to 1, and how many were nothing but zeros, which become even."""
    sums = probabilities.sum(axis=1, keepdims=True)
    zero = sums[:, 0] <= 0
    scaled = np.divide(probabilities, sums, out=np.full_like(probabilities, 1 / probabilities.shape[1]), where=sums > 0)
    return scaled, int(zero.sum())


def _experiment(typed: config.Experiment, model: Classifier, overrides: Sequence[str]) -> config.Experiment:
    """Returns the configuration with the data set that is meant: the one named, else that of the run."""
    if any(entry.lstrip("+~").startswith("dataset") for entry in overrides):
        return typed
    if model.record is None or model.tracker is None:
        raise ConfigError(
            [f"`dataset` must be named for a file: dataset=fer2013 dataset.path=... Received: {model.name} alone."]
        )
    recorded = _recorded(model)
    values = typed.model_dump()
    values["dataset"] = recorded["dataset"] | (
        {"cache_dir": typed.cache_dir} if "cache_dir" in recorded["dataset"] else {}
    )
    if typed.fold is None:
        values |= {"folds": recorded["folds"], "fold": recorded["fold"]}
    return config.check(values)


def _recorded(model: Classifier) -> Mapping[str, Any]:
    import tempfile

    import yaml

    record, tracker = model.record, model.tracker
    with tempfile.TemporaryDirectory(prefix="fer_exp-evaluate-") as folder:
        file = tracker.download(record.run_id, _RESOLVED, Path(folder)) if tracker and record else None
        values = yaml.safe_load(file.read_text(encoding="utf-8")) if file else None
    if not isinstance(values, dict) or not {"dataset", "folds", "fold"} <= values.keys():
        raise ConfigError(
            [f"`dataset` must be named: {model.name} has no {_RESOLVED} that says what it was tested on."]
        )
    return values


def _log(
    tracker: Tracker,
    folder: Path,
    model: Classifier,
    experiment: config.Experiment,
    splits: Splits,
    split: str,
    found: Evaluated,
) -> str:
    dataset = {f"dataset.{key}": value for key, value in experiment.dataset.items()}
    params = {
        "model": model.name,
        "file": model.file,
        "split": split,
        "folds": experiment.folds,
        "fold": experiment.fold,
    }
    tags = {"data_sha256": splits.sha256, "evaluated": model.record.run_id if model.record else model.file}
    if model.record is not None:
        tags["mlflow.parentRunId"] = model.record.run_id
    name = f"evaluate {model.file if model.record else Path(model.file).name} on {experiment.option('dataset')} {split}"
    with tracker.run(name, {**params, **dataset}, tags) as tracked:
        tracked.log_metrics(metrics.scalars(found.evaluation, split))
        tracked.log_metrics(metrics.scalars_of_sources(_of_sources(found, splits), split))
        for part in (report.FIGURES, report.TABLES):
            tracked.log_folder(folder / part)
        if found.notes:
            tracked.set_tags({"mlflow.note.content": "\n".join(f"- {note}" for note in found.notes)})
    return tracked.run_id


def _of_sources(found: Evaluated, splits: Splits) -> dict[str, metrics.Evaluation]:
    if found.split.sources is None:
        return {}
    return metrics.of_sources(found.evaluation, found.split.sources, splits.source_names)


def _table(found: Evaluated, split: str, model: Classifier, splits: Splits) -> Table:
    evaluation = found.evaluation
    title = f"{model.name} on {len(evaluation):,} {split} images of {splits.source}"
    shown = Table(title=Text(store.printable(title)), title_justify="left", show_header=False)
    low, high = evaluation.accuracy_interval
    f1_low, f1_high = evaluation.macro_f1_interval
    shown.add_row(f"{split} accuracy", f"{evaluation.accuracy:.4f}  (95 % interval {low:.4f} - {high:.4f})")
    shown.add_row(f"{split} macro-F1", f"{evaluation.macro_f1:.4f}  (95 % interval {f1_low:.4f} - {f1_high:.4f})")
    for sentence in tables.describe_confusions(evaluation, 3, split):
        shown.add_row("confusion", Text(store.printable(sentence)))
    return shown


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_exp.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", help="a run's id, models:/name@alias, models:/name/3, a registered name, or a .tflite file")
    add("overrides", nargs="*", metavar="key=value", help="dataset=..., tracking.uri=...")
    add("--split", choices=("test", "val", "train"), default="test", help="which images (default test)")
    add("--file", default=trained.KERAS, metavar="NAME", help="which file of a run: keras (default), float32, int8 ...")
    add("--common", action="store_true", help="leave out classes that model and data do not share")
    return parser


if __name__ == "__main__":
    main()
