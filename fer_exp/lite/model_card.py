"""The model card: what the exported files are, how good they are, where they fail, and how to call them.

Called by `publication`. Everything in it follows from the numbers it is given; what was not measured it says.
"""

import platform
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fer_exp import __version__, process
from fer_exp.assessment.metrics import Evaluation
from fer_exp.data import inputs
from fer_exp.dataset import Splits
from fer_exp.export import Exportable, Exported
from fer_exp.lite import benchmark, export_table, litert, usage
from fer_exp.reporting import tables
from fer_exp.reporting.abridged import listed

_WORDS = {
    "an image": "Tells the expression of a cropped face: an image",
    "a clip": "Tells the expression of a face that moves: a clip of a cropped face",
    "a row": "Tells what a row of its data shows: the inputs",
}
_FEW = 100  # images of a class below which its recall is uncertain by ten points


def render(exported: Sequence[Exported], exportable: Exportable) -> str:
    """Returns the card in markdown.

    Args:
        exported: At least one file.
        exportable: What it was made of.
    """
    facts, keras = exportable.facts, exportable.evaluation
    parts = [
        f"# Model card: {facts['run_name']}",
        _purpose(exportable),
        "## Data",
        _data(exportable.splits),
        "## How good it is",
        _accuracy(keras),
        tables.markdown(export_table.cells(exported, keras)),
        _reading(exported),
        "## Recall of each class",
        tables.markdown(_recall(exported, keras)),
        "## Known weaknesses",
        _list(weaknesses(exported, keras)),
        "## Size and speed",
        _machine(exportable, exported),
        tables.markdown(export_table.costs(exported)),
        "## How to call it",
        *_how_to_call(exported, exportable.splits),
    ]
    return "\n\n".join(parts) + "\n"


def weaknesses(exported: Sequence[Exported], keras: Evaluation) -> list[str]:
    """Returns where the model fails, a sentence each.

    Args:
        exported: The files.
        keras: Keras' answers on the test split.
    """
    weakest = int(np.nanargmin(keras.recall))
    found = [
        f"The weakest class is {keras.class_names[weakest]}: {100 * keras.recall[weakest]:.1f} % of its "
        f"{keras.support[weakest]} test images are recognised."
    ]
    found += [f"{sentence}." for sentence in tables.describe_confusions(keras, most=3)]
    few = [
        f"{name} ({count})" for name, count in zip(keras.class_names, keras.support, strict=True) if 0 < count < _FEW
    ]
    if few:
        found.append(f"Few test images stand behind the recall of {listed(few)}: it is uncertain.")
    for entry in exported:
        if entry.test_gap.recall > 0:
            found.append(
                f"{entry.path.name} loses most in {entry.test_gap.recall_class}: {100 * entry.test_gap.recall:.1f} "
                "points of recall against Keras."
            )
    return [
        *found,
        "Not measured: faces from other sources than the data above, other light and cameras, faces that are not "
        "cropped like those of the data, and differences between groups of people.",
    ]


def _purpose(exportable: Exportable) -> str:
    facts, specs = exportable.facts, exportable.splits.specs
    return (
        f"{_WORDS.get(inputs.one(specs), _WORDS['a row'])} ({inputs.described(specs)}) in, a probability for each of "
        f"{', '.join(exportable.splits.class_names)} out. Scaling is inside the file.\n\n"
        + _list(
            [
                f"model: {facts['model']}, {facts['parameters']:,} parameters, {facts['multiply_adds'] / 1e6:.1f} M "
                f"multiply-adds {inputs.one(exportable.splits.specs)}",
                f"trained with fer_exp {__version__}, commit {facts['git_commit']}, run {facts['run_id']}",
                f"command: `{facts['command']}`",
            ]
        )
    )


def _data(splits: Splits) -> str:
    counts = [np.bincount(s.labels, minlength=len(splits.class_names)) for s in (splits.train, splits.val, splits.test)]
    table = pd.DataFrame(np.stack(counts, axis=1), columns=["train", "val", "test"])
    table.insert(0, "class", list(splits.class_names))
    notes = [f"{key}: {value}" for key, value in splits.notes.items()]
    lines = [f"source: {splits.source}", f"SHA-256 of the content: {splits.sha256}", *notes]
    return _list(lines) + "\n\n" + tables.markdown(table)


def _accuracy(keras: Evaluation) -> str:
    low, high = keras.accuracy_interval
    f1_low, f1_high = keras.macro_f1_interval
    return _list(
        [
            f"accuracy of the Keras model on the {len(keras):,} test images: {100 * keras.accuracy:.2f} % (95 % "
            f"interval {100 * low:.2f} to {100 * high:.2f})",
            f"macro-F1: {100 * keras.macro_f1:.2f} % (95 % interval {100 * f1_low:.2f} to {100 * f1_high:.2f})",
        ]
    )


def _reading(exported: Sequence[Exported]) -> str:
    text = (
        "Each file answered every validation and test image itself. In brackets: difference to Keras in points, for "
        "the test split with its 95 % interval (the same images, so a paired one). Validation decides what is "
        "published; nothing was chosen by the test split. Worst recall: the class that loses most against Keras."
    )
    return "\n\n".join([text, *export_table.notes(exported)])


def _recall(exported: Sequence[Exported], keras: Evaluation) -> pd.DataFrame:
    def shown(values: np.ndarray) -> list[str]:
        return ["-" if np.isnan(value) else f"{100 * value:.1f} %" for value in values]

    table = pd.DataFrame({"class": keras.class_names, "test images": keras.support, "Keras": shown(keras.recall)})
    for entry in exported:
        table[entry.path.name] = shown(entry.test.recall)
    return table


def _machine(exportable: Exportable, exported: Sequence[Exported]) -> str:
    return (
        f"Measured on {benchmark.processor()}, {process.cores()} cores, {platform.system()}, with ai-edge-litert "
        f"{litert.version()}, in a process of its own that may have shared the machine with others. Batch 1, times are "
        "p50 / p95 in milliseconds; load: from the file to the first call, the file being in the disk cache; memory: "
        "what loading and answering added to the process. A phone gives other numbers: measure there."
    )


def _how_to_call(exported: Sequence[Exported], splits: Splits) -> list[str]:
    published = [entry for entry in exported if not entry.withheld]
    if not published:
        return ["No file is published."]
    parts = [
        "Names, shapes and quantisation are also inside each file: `labels.txt` and `metadata.json`, in a zip behind "
        "the network."
    ]
    opened = [(entry, litert.Interpreter(entry.path)) for entry in published]
    for quantized in (True, False):
        alike = [(entry, file) for entry, file in opened if (file.output.dtype == "uint8") == quantized]
        if alike:
            parts += _lines_for(alike, splits, quantized)
    return parts


def _lines_for(alike: Sequence[tuple[Exported, litert.Interpreter]], splits: Splits, quantized: bool) -> list[str]:
    """Returns how the smallest of the files that take values of one type is called."""
    smallest, file = min(alike, key=lambda pair: pair[0].size_mb)
    output, ports = file.output, inputs.matched(file.inputs, splits.specs)
    call = usage.Call(
        file=smallest.path.name,
        taken=tuple(
            usage.Taken(name, spec.kind, spec.shape, ports[name].scale or 1.0, ports[name].zero_point)
            for name, spec in splits.specs.items()
        ),
        class_names=splits.class_names,
        quantized=quantized,
        scale=output.scale if quantized else 1.0,
        zero_point=output.zero_point,
    )
    unit = "bytes" if quantized else "floats"
    others = ", ".join(entry.path.name for entry, _ in alike if entry is not smallest)
    also = f" ({others}: the same, but for the name{' and the scale of the answer' * quantized})" if others else ""
    lines = [f"### {call.file}: values go in as {unit}{also}", f"Python:\n\n```python\n{usage.python(call)}```"]
    if len(call.taken) > 1:
        return [*lines, "Elsewhere: the signature of the file names its inputs."]
    return [
        *lines,
        f"Kotlin, on Android:\n\n```kotlin\n{usage.kotlin(call)}```",
        f"C++:\n\n```cpp\n{usage.cpp(call)}```",
    ]


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
