"""The proof of a `.tflite` file: its own answers against Keras' on the same images, its cost, and whether it passes.

Called by the export options. The validation split decides whether a file is published; the test split is reported and
decides nothing. It must not know how a file was made, nor where it is logged.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from fer_exp import __version__, process
from fer_exp.assessment.metrics import Evaluation, evaluate
from fer_exp.data.inputs import Spec, Specs, matched
from fer_exp.dataset import Split
from fer_exp.export import Exportable, Exported, Gap, Kind
from fer_exp.lite import benchmark, model_file
from fer_exp.lite.litert import Interpreter, Port, predict

_Z = 1.959964  # of a two-sided 95 % interval


def prove(
    path: Path,
    kind: Kind,
    exportable: Exportable,
    keras_val: Evaluation,
    threads: Sequence[int],
    calls: int,
    max_accuracy_drop: float | None,
) -> Exported:
    """Lets a file answer every validation and test image, and measures what it costs.

    Args:
        path: The file.
        kind: What it is called.
        exportable: What it was made of.
        keras_val: Keras' answers on the validation split.
        threads: Numbers of threads to measure the latency with.
        calls: Calls at batch 1 for each.
        max_accuracy_drop: How much validation accuracy a file may lose against Keras to be published; None lets any
            pass.
    """
    splits = exportable.splits
    with Progress(console=exportable.console, transient=True, disable=not exportable.console.is_terminal) as bar:
        task = bar.add_task(f"{path.name} answers", total=len(splits.val) + len(splits.test))
        advance = functools.partial(bar.advance, task)

        def answers(split: Split) -> Evaluation:
            probabilities = predict(path, split.inputs, process.cores(), advance)
            return evaluate(scaled(probabilities), split.labels, splits.class_names)

        val, test = answers(splits.val), answers(splits.test)
    val_gap = gap(keras_val, val)
    return Exported(
        kind=kind,
        path=path,
        withheld=shortfall(val_gap.accuracy, max_accuracy_drop),
        val=val,
        val_gap=val_gap,
        test=test,
        test_gap=gap(exportable.evaluation, test),
        size_mb=path.stat().st_size / 1e6,
        speed=benchmark.measure(path, threads, calls),
    )


def scaled(probabilities: np.ndarray) -> np.ndarray:
    """Returns rows that sum to 1, which what is quantised does not do exactly, and an evaluation insists on.

    With hundreds of classes each may be less than half of the smallest step of a byte: a row of zeros becomes even.

    Args:
        probabilities: float (n, classes), >= 0.
    """
    sums = probabilities.sum(axis=1, keepdims=True)
    even = np.full_like(probabilities, 1 / probabilities.shape[1])
    return np.divide(probabilities, sums, out=even, where=sums > 0)


def gap(reference: Evaluation, file: Evaluation) -> Gap:
    """Compares answers to the same images.

    Args:
        reference: Keras'.
        file: The file's.

    Source:
        Agresti and Min, Effects and non-effects of paired identical observations in comparing proportions with binary
        matched-pairs data (2004): the interval, with half a pair added to each cell.
    """
    right, kept = reference.predictions == reference.labels, file.predictions == file.labels
    lost, won, count = int(np.sum(right & ~kept)), int(np.sum(~right & kept)), len(file)
    b, c, n = lost + 0.5, won + 0.5, count + 2
    center, half = (b - c) / n, _Z * np.sqrt(b + c - (b - c) ** 2 / n) / n
    drops = reference.recall - file.recall  # NaN for a class without images
    worst = int(np.nanargmax(drops))
    return Gap(
        accuracy=(lost - won) / count,
        low=float(center - half),
        high=float(center + half),
        agreement=float(np.mean(reference.predictions == file.predictions)),
        recall=float(drops[worst]),
        recall_class=file.class_names[worst],
    )


def shortfall(drop: float, limit: float | None) -> str:
    """Returns why a file is not published, or nothing if it is.

    Args:
        drop: Of validation accuracy against Keras.
        limit: The largest that passes; None for any.
    """
    if limit is None or drop <= limit + 1e-12:  # 0.91 - 0.90 is not quite 0.01
        return ""
    return (
        f"validation accuracy is {100 * drop:.2f} points below Keras', and export.max_accuracy_drop={limit:g} allows "
        f"{100 * limit:g}"
    )


def publish(exported: Exported, exportable: Exportable, folder: Path) -> Exported:
    """Writes a proven file, with its metadata inside, to where files are published from; the unproven one is removed.

    Args:
        exported: What was proven.
        exportable: What it was made of.
        folder: Where published files go.
    """
    target = folder / exported.path.name
    content = exported.path.read_bytes()
    model_file.write(target, model_file.with_metadata(content, metadata(exported, exportable)))
    exported.path.unlink()
    return replace(exported, path=target, size_mb=target.stat().st_size / 1e6)


def metadata(exported: Exported, exportable: Exportable) -> dict[str, Any]:
    """Returns what a file says of itself, in plain values.

    Args:
        exported: The file and what was measured on it.
        exportable: What it was made of.
    """
    interpreter, splits = Interpreter(exported.path), exportable.splits
    names = ("val_accuracy", "val_accuracy_drop", "accuracy", "macro_f1", "accuracy_drop", "agreement")
    numbers = exported.numbers()
    return {
        "class_names": list(splits.class_names),
        "kind": exported.kind,
        **_inputs(interpreter, splits.specs),
        "output": {**_described(interpreter.output), "meaning": "probability of each class, in the order of the names"},
        "fer_exp": __version__,
        "data_sha256": splits.sha256,
        **{key: value for key, value in exportable.facts.items() if key != "command"},  # which may name folders
        "metrics": {name if name.startswith("val") else f"test_{name}": numbers[name] for name in names},
    }


def _inputs(interpreter: Interpreter, specs: Specs) -> dict[str, Any]:
    """Returns what goes into a file: as `input` if it is one, and each by its name."""
    ports = matched(interpreter.inputs, specs)
    found = {name: _input(ports[name], spec) for name, spec in specs.items()}
    only = {"input": next(iter(found.values()))} if len(found) == 1 else {}
    return {**only, "inputs": found}


def _input(port: Port, spec: Spec) -> dict[str, Any]:
    about = spec.about
    found = {
        **_described(port),
        "kind": spec.kind,
        "layout": ", ".join(("batch", *about.axes)),
        "range": list(about.limits),
    }
    if about.channels is not None:
        found["channels"] = "grey" if spec.shape[-1] == 1 else "RGB"
    if spec.rate is not None:
        found["rate"] = spec.rate
    return found


def _described(port: Port) -> dict[str, Any]:
    quantization = {"scale": port.scale, "zero_point": port.zero_point} if port.scale else None
    return {"shape": list(port.shape), "dtype": port.dtype, "quantization": quantization}
