"""Predicts rows of a csv, round after round, in the ways of `prediction`; prints the images a second of each.

    python -m benchmarks.predict_rows --folder <folder> --rounds 5 --images 4000
    python -m benchmarks.predict_rows --folder <folder> --make      the model and its files, untrained

Ways of `fer_exp` parse the rows too; the others find them in memory.
"""

import fer_exp  # noqa: F401  before TensorFlow, whose kernels it chooses

# isort: split
import argparse
import json
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from benchmarks.samples import grey
from fer_exp import process
from fer_exp.data import inputs
from fer_exp.data.emotions import EMOTIONS
from fer_exp.fit import inference
from fer_exp.lite import conversion, model_file
from fer_exp.options import commandline, config
from fer_exp.predict import sources, work
from fer_exp.run.trained import BATCH, Classifier, opened

MODEL, ROWS, SHAPE = "model.keras", "rows.csv", (48, 48, 1)
ONE_BY_ONE = 32  # images of the ways that would take a minute for all of them


def make(folder: Path) -> None:
    """Writes the default network with first weights, as Keras and `.tflite` files."""
    model = config.build(commandline.composed(["model=cnn"])["model"], inputs.image(SHAPE), len(EMOTIONS))
    model.save(folder / MODEL)
    images, _ = grey(64)
    for kind in ("float32", "int8"):
        model_file.write(folder / f"{kind}.tflite", conversion.convert(model, kind, tuple(EMOTIONS), {"image": images}))


def ways(folder: Path, images: np.ndarray, stack: ExitStack) -> dict[str, Callable[[], float]]:
    """Returns what is compared: each predicts images and returns images a second.

    Args:
        folder: Of `make`, with the rows.
        images: uint8 (n, 48, 48, 1), the same as in the rows.
        stack: Closes what is opened.
    """
    model = keras.saving.load_model(folder / MODEL, safe_mode=True)

    def predict(rows: inputs.Inputs) -> np.ndarray:
        return inference.predict(model, rows, BATCH)

    own = Classifier("cnn", inputs.image(SHAPE), tuple(EMOTIONS), predict, None, None, "keras")
    files = {kind: stack.enter_context(opened(str(folder / f"{kind}.tflite"), "keras", [])) for kind in _KINDS}
    found, _ = sources.find([str(folder / ROWS)])
    progress = work.Progress(lambda _: None, lambda: None)
    threads = min(8, process.cores())
    interpreters = {kind: Interpreter(str(folder / f"{kind}.tflite"), num_threads=threads) for kind in _KINDS}
    for interpreter in interpreters.values():
        interpreter.allocate_tensors()

    def rows(classifier: Classifier) -> float:
        outcome = work.run(found, classifier, "none", 1, threads, progress)
        return len(outcome.seen) / outcome.seconds

    def timed(predict: Callable[[], object], count: int) -> float:
        began = time.perf_counter()
        predict()
        return count / (time.perf_counter() - began)

    def loop(interpreter: Interpreter) -> None:
        taken, returned = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        for image in images:
            interpreter.set_tensor(taken["index"], image[None].astype(taken["dtype"]))
            interpreter.invoke()
            interpreter.get_tensor(returned["index"])

    few = images[:ONE_BY_ONE]
    return {
        "fer_exp.predict, int8": lambda: rows(files["int8"]),
        "fer_exp.predict, float32": lambda: rows(files["float32"]),
        "fer_exp.predict, Keras": lambda: rows(own),
        "LiteRT, an Interpreter in a loop, int8": lambda: timed(lambda: loop(interpreters["int8"]), len(images)),
        "LiteRT, an Interpreter in a loop, float32": lambda: timed(lambda: loop(interpreters["float32"]), len(images)),
        "model.predict of all, Keras": lambda: timed(lambda: model.predict(images, verbose=0), len(images)),
        "model.predict of each, Keras": lambda: timed(
            lambda: [model.predict(image[None], verbose=0) for image in few], len(few)
        ),
    }


_KINDS = ("float32", "int8")


def main() -> None:
    """Makes the files, or compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--make", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=4000)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if options.make:
        make(options.folder)
        return
    images, _ = grey(options.images)
    with ExitStack() as stack:
        compared = ways(options.folder, images, stack)
        for way in compared.values():
            way()  # the first call of each traces and allocates
        print(json.dumps([{name: way() for name, way in compared.items()} for _ in range(options.rounds)]))


if __name__ == "__main__":
    main()
