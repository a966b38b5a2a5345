"""A trained model by its name: a run, a registered model, or a `.tflite` file.

Called by `predict` and `evaluate`. What it returns takes images and returns probabilities; it must not know where the
images come from.
"""

import csv
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fer_exp import commandline, litert_guard, registry, store
from fer_exp.errors import ConfigError, ModelError
from fer_exp.signature import run_id as checked_id
from fer_exp.tracking import Record, Tracker

if TYPE_CHECKING:
    import keras

KERAS = "keras"
BATCH = 256  # images at a time
_WEIGHTS, _CONFUSION = "model/model.keras", "tables/confusion_matrix.csv"
_PREDICTED = "predicted_"


@dataclass(frozen=True)
class Classifier:
    """A model ready to be called.

    Attributes:
        name: What it is, for people.
        image_shape: (height, width, channels) of what it takes.
        class_names: Name of each class, in the order of its outputs.
        predict: uint8 (n, height, width, channels) -> probabilities float32 (n, classes), rows sum to 1.
        record: Its run; None for a file.
        tracker: Where the run is; None for a file.
        file: Which file of the run it is, `keras` or the name of an exported one; the path of a file.
        model: The Keras model behind it; None for a file.
    """

    name: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    predict: Callable[[np.ndarray], np.ndarray]
    record: Record | None
    tracker: Tracker | None
    file: str
    model: "keras.Model | None" = None


@contextmanager
def opened(word: str, file: str, overrides: Sequence[str]) -> Iterator[Classifier]:
    """Opens a model.

    Args:
        word: Path of a `.tflite` file, id of a run, `models:/name@alias`, `models:/name/3`, or the name of a registered
            model, whose champion it means.
        file: Which file of a run: `keras`, or an exported one such as `int8`.
        overrides: As of the main program; what they say of `tracking` counts.

    Raises:
        ConfigError: If the word can mean nothing.
        ModelError: If there is no such model, or it cannot be used.
        TrackingError: If there is no store of runs, or it does not answer.
    """
    if word.lower().endswith(".tflite"):
        if file != KERAS:
            raise ConfigError([f"`--file` goes with a run or a registered model. Received: --file {file} and {word}."])
        commandline.check(overrides)  # they change nothing here, but a mistake in them is one
        with litert_guard.Guard() as guard, guard.open(Path(word)) as model:
            yield Classifier(word, model.image_shape, model.class_names, model.predict, None, None, word)
        return
    _check_word(word)
    if not re.fullmatch(r"\w+", file):
        raise ConfigError([f"`--file` must be keras or the name of an exported file. Received: --file {file}."])
    tracker = store.existing(overrides)
    record = _record(tracker, word)
    with tempfile.TemporaryDirectory(prefix="fer_exp-model-") as folder:
        if file == KERAS:
            yield _keras(tracker, record, Path(folder))
            return
        path = tracker.download(record.run_id, f"tflite/{file}.tflite", Path(folder))
        if path is None:
            kinds = sorted({key.split("/")[1] for key in record.metrics if key.startswith("tflite/")})
            raise ModelError(
                f"`--file` must be keras or one that the run has exported: {', '.join(kinds) or 'none'}. "
                f"Received: --file {file}, run {_called(record)}."
            )
        with litert_guard.Guard() as guard, guard.open(path) as model:
            name = f"{file}.tflite of run {_called(record)}"
            yield Classifier(name, model.image_shape, model.class_names, model.predict, record, tracker, file)


def _check_word(word: str) -> None:
    is_name = re.fullmatch(r"models:/[^/:@]+(@[^/:@]+|/\d+)", word) or registry.is_name(word)
    if not (is_name or re.fullmatch(r"[0-9a-f]{32}", word)) or Path(word).suffix in (".keras", ".h5", ".onnx"):
        raise ConfigError(
            [
                "`model` must be the id of a run (32 hex digits), models:/name@alias, models:/name/3, the name of a "
                f"registered model, or a .tflite file. Received: {word}."
            ]
        )


def _record(tracker: Tracker, word: str) -> Record:
    """Returns the run that made a model."""
    try:
        run, through = checked_id(word), ""
    except ValueError:
        version = registry.find(tracker, word)
        run, through = version.run_id, f" (version {version.number} of {version.name})"
    record = tracker.record(run) if run else None
    if record is None:
        raise ModelError(f"`model` must be a run in {tracker.uri}. Received: {word}{through}, which is not there.")
    if "sweep" in record.tags:
        best = record.tags.get("best_child", "none")
        raise ModelError(f"`model` must be a run, not a sweep. Received: {word}; the best run of that sweep is {best}.")
    return record


def _keras(tracker: Tracker, record: Record, folder: Path) -> Classifier:
    path = tracker.download(record.run_id, _WEIGHTS, folder)
    table = tracker.download(record.run_id, _CONFUSION, folder)
    if path is None or table is None:
        missing = _WEIGHTS if path is None else _CONFUSION
        raise ModelError(
            f"`model` must be a run that ended with a model. Received: {_called(record)}, which is {record.status} and "
            f"has no {missing}."
        )
    names = _class_names(table)
    import keras

    from fer_exp import training

    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged file can break in any layer of Keras
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{_WEIGHTS} of run {_called(record)} cannot be loaded: {reason}.") from error
    shape, classes = tuple(model.input_shape[1:]), model.output_shape[-1]
    if len(shape) != 3 or classes != len(names):
        raise ModelError(
            f"{_WEIGHTS} of run {_called(record)} does not fit its classes: it takes {shape} and returns {classes} "
            f"values for {len(names)} classes."
        )
    return Classifier(
        f"run {_called(record)}", shape, names,
        lambda images: training.predict(model, images, BATCH), record, tracker, KERAS, model,
    )  # fmt: skip


def _class_names(table: Path) -> tuple[str, ...]:
    """Returns the classes of a run, in order, from the head of its confusion matrix."""
    with table.open(encoding="utf-8", newline="") as file:
        head = next(csv.reader(file), [])
    return tuple(name.removeprefix(_PREDICTED) for name in head if name.startswith(_PREDICTED))


def _called(record: Record) -> str:
    return f"{record.run_id} ({store.printable(record.name)})"
