"""A small trained-looking model with its data, as the export step gets it."""

from pathlib import Path

import keras
import numpy as np
from answers import answered
from contracts import node
from converted import rows_of, small_model
from rich.console import Console

from fer_exp.assessment.metrics import evaluate
from fer_exp.data.inputs import Inputs, Specs, image
from fer_exp.dataset import Split, Splits
from fer_exp.export import Exportable, Exported, Kind
from fer_exp.fit import inference
from fer_exp.lite.benchmark import Speed
from fer_exp.lite.litert import Latency
from fer_exp.lite.proof import gap
from fer_exp.options import config

NAMES = ("angry", "happy", "sad")
FACTS = {
    "run_id": "0123456789abcdef0123456789abcdef",
    "run_name": "small",
    "model": "cnn",
    "command": "python -m fer_exp dataset.path=/home/me/faces",
    "parameters": 1234,
    "multiply_adds": 5_600_000,
    "git_commit": "abc",
}


def split(count: int, seed: int) -> Split:
    random = np.random.default_rng(seed)
    return Split.of_images(random.integers(0, 256, (count, 16, 16, 1), dtype=np.uint8), random.integers(0, 3, count))


def small(console: Console | None = None) -> Exportable:
    """Its Keras model answers at random, so that accuracy lies near a third."""
    keras.utils.set_random_seed(0)
    model = config.build(node("model", "cnn", widths=[4, 4], head_units=32), image((16, 16, 1)), len(NAMES))
    for _ in range(5):  # batch normalisation that has seen data
        model(split(16, 9).images.astype(np.float32), training=True)
    return _of(model, (split(60, 0), split(40, 1), split(50, 2)), console or Console(quiet=True))


def of_others(specs: Specs) -> Exportable:
    """As `small`, of clips and sounds."""

    def split(count: int, seed: int) -> Split:
        labels = np.random.default_rng(seed).integers(0, 3, count)
        kinds = {name: spec.kind for name, spec in specs.items()}
        rates = {name: spec.rate for name, spec in specs.items() if spec.rate is not None}
        return Split(rows_of(specs, count, seed), labels, kinds=kinds, rates=rates)

    return _of(small_model(specs), (split(60, 0), split(40, 1), split(50, 2)), Console(quiet=True))


def _of(model: keras.Model, splits: tuple[Split, Split, Split], console: Console) -> Exportable:
    def predict(inputs: Inputs) -> np.ndarray:
        return inference.predict(model, inputs, 64)

    train, val, test = splits
    evaluation = evaluate(predict(test.inputs), test.labels, NAMES)
    made = Splits(train, val, test, NAMES, "ff" * 32, "made here", {"skipped": 3})
    return Exportable(model, made, evaluation, predict, 0, lambda *_: None, FACTS, console)


KERAS = answered(np.arange(120) < 100)


def measured(kind: Kind, right: int, withheld: str = "", memory_mb: float | None = 12.0) -> Exported:
    """A file that has the first so many of 120 images right, where Keras has 100."""
    answers = answered(np.arange(120) < right)
    return Exported(
        kind=kind,
        path=Path(f"{kind}.tflite"),
        withheld=withheld,
        val=answers,
        val_gap=gap(KERAS, answers),
        test=answers,
        test_gap=gap(KERAS, answers),
        size_mb=2.5,
        speed=Speed(8.0, memory_mb, {1: Latency(0.5, 0.75), 64: Latency(9.0, 10.0)}),
    )
