"""A trained model by its name: a run, a registered model, or a `.tflite` file.

Called by `predict` and `evaluate`. What it returns takes inputs and returns probabilities; it must not know where the
inputs come from.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fer_exp.data.inputs import Specs
from fer_exp.errors import ConfigError, ModelError
from fer_exp.lite import litert_guard
from fer_exp.options import commandline
from fer_exp.process import temporary
from fer_exp.record import layout, registry, store
from fer_exp.record.names import INPUTS
from fer_exp.reporting.terminal import printable
from fer_exp.signature import is_run_id
from fer_exp.signature import run_id as checked_id
from fer_exp.tracking import Record, Tracker

if TYPE_CHECKING:
    import keras

KERAS = "keras"
AUTO = "auto"  # the exported file that answers as the network does, which loads without TensorFlow; else the network
_EQUAL = "float32"  # kind of file that can be equal to the network
BATCH = 256  # rows at a time


@dataclass(frozen=True)
class Classifier:
    """A model ready to be called.

    Attributes:
        name: What it is, for people.
        inputs: What it takes, by name.
        class_names: Name of each class, in the order of its outputs.
        predict: Rows of each input by its name, (n, ...) -> probabilities float32 (n, classes), rows sum to 1.
        record: Its run; None for a file.
        tracker: Where the run is; None for a file.
        file: Which file of the run it is, `keras` or the name of an exported one; the path of a file.
        model: The Keras model behind it; None for a file.
    """

    name: str
    inputs: Specs
    class_names: tuple[str, ...]
    predict: Callable[[Mapping[str, np.ndarray]], np.ndarray]
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
        file: Which file of a run: `keras`, an exported one such as `int8`, or `auto`.
        overrides: As of the main program; what they say of `tracking` counts.

    Raises:
        ConfigError: If the word can mean nothing.
        ModelError: If there is no such model, or it cannot be used.
        TrackingError: If there is no store of runs, or it does not answer.
    """
    if word.lower().endswith(".tflite"):
        if file not in (KERAS, AUTO):
            raise ConfigError([f"`--file` goes with a run or a registered model. Received: --file {file} and {word}."])
        commandline.check(overrides, groups=["tracking"])  # they change nothing here, but a mistake in them is one
        with litert_guard.Guard() as guard, guard.open(Path(word)) as model:
            yield Classifier(word, model.inputs, model.class_names, model.predict, None, None, word)
        return
    _check_word(word)
    if not re.fullmatch(r"\w+", file):
        raise ConfigError([f"`--file` must be keras or the name of an exported file. Received: --file {file}."])
    tracker = store.existing(overrides, [("model", word)])
    record = _record(tracker, word)
    if file == AUTO:
        file = _EQUAL if _is_equal(record) else KERAS
    with temporary.folder("model") as folder:
        if file == KERAS:
            yield _keras(tracker, record, folder)
            return
        path = tracker.download(record.run_id, f"{layout.TFLITE}/{file}.tflite", folder)
        if path is None:
            raise ModelError(_no_file(record, file))
        with litert_guard.Guard() as guard, guard.open(path) as model:
            name = f"{file}.tflite of run {_called(record)}"
            yield Classifier(name, model.inputs, model.class_names, model.predict, record, tracker, file)


def _is_equal(record: Record) -> bool:
    """Tells whether a run has published a file that named every test image as its network did."""
    published, agreement = (record.metrics.get(f"tflite/{_EQUAL}/{key}") for key in ("published", "agreement"))
    return bool(published) and agreement == 1


def _check_word(word: str) -> None:
    is_name = re.fullmatch(r"models:/[^/:@]+(@[^/:@]+|/\d+)", word) or registry.is_name(word)
    if not (is_name or is_run_id(word)) or Path(word).suffix in (".keras", ".h5", ".onnx"):
        raise ConfigError(
            [
                "`model` must be the id of a run (32 hex digits, or the first 8), models:/name@alias, models:/name/3, "
                f"the name of a registered model, or a .tflite file. Received: {word}."
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
    from fer_exp.fit import inference
    from fer_exp.network import recorded_model

    try:
        model, inputs, names = recorded_model.read(
            lambda path, where: tracker.download(record.run_id, path, where), folder, record.tags.get(INPUTS)
        )
    except ValueError as error:
        raise ModelError(f"`model` {error} Received: run {_called(record)}, which is {record.status}.") from error
    return Classifier(
        f"run {_called(record)}", inputs, names,
        lambda rows: inference.predict(model, rows, BATCH), record, tracker, KERAS, model,
    )  # fmt: skip


def _no_file(record: Record, file: str) -> str:
    """Returns why a run has no such file: it is not of a kind that was exported, was withheld, or is gone."""
    published = {key.split("/")[1]: value for key, value in record.metrics.items() if key.endswith("/published")}
    kinds = sorted(kind for kind, value in published.items() if value and kind != file)
    reason = ""
    if file in published:
        reason = " That file is no longer among the artifacts of the run."
        if not published[file]:
            reason = f" That file was withheld by export.max_accuracy_drop: {record.tags.get('withheld', 'no reason')}."
    return (
        f"`--file` must be keras or one that the run has published: {', '.join(kinds) or 'none'}. "
        f"Received: --file {file}, run {_called(record)}.{reason}"
    )


def _called(record: Record) -> str:
    return f"{record.run_id} ({printable(record.name)})"
