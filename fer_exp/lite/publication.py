"""The export step of a run: files made and proven, then told to the tracker, the terminal and the people who use them.

Called by `conclusion`. It must not know how files are made.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fer_exp.data import csv_cells
from fer_exp.export import Export, Exportable, Exported
from fer_exp.lite import export_figure, export_table, model_card, model_file
from fer_exp.options import config
from fer_exp.process import credentials
from fer_exp.record import layout
from fer_exp.reporting import console, figure_style
from fer_exp.tracking import Run


def facts(
    experiment: config.Experiment, name: str, run_id: str, overrides: Sequence[str], tags: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns what an exported model says of where it comes from.

    Args:
        experiment: The checked configuration.
        name: Of the run.
        run_id: Of the run.
        overrides: What the command line of the run changed.
        tags: Of the run.
    """
    words = [credentials.hidden(word) for word in overrides if not word.startswith("tracking")]
    return {
        "run_id": run_id,
        "run_name": name,
        "model": experiment.option("model"),
        "command": shlex.join(["python", "-m", "fer_exp", *words]),
        **{key: tags[key] for key in ("parameters", "multiply_adds", "git_commit")},
    }


def commands(overrides: Sequence[str], run_id: str) -> list[tuple[str, str]]:
    """Returns how a run is run again: a sentence and a command each.

    Args:
        overrides: What the command line of the run changed.
        run_id: Of the run.
    """
    words = [credentials.hidden(word) for word in overrides]
    places = [word for word in words if word.startswith("tracking.uri=")]
    repeat = ["python", "-m", "fer_exp", f"reproduce={run_id}", *places]
    return [
        ("The same configuration on the same data, and whether the numbers agree:", shlex.join(repeat)),
        ("The command that was given:", shlex.join(["python", "-m", "fer_exp", *words])),
    ]


def options(experiment: config.Experiment) -> dict[str, str]:
    """Returns what a reader wants to know of a configuration first, by name."""
    groups = ("model", "augmentation", "loss", "optimizer", "schedule", "distillation", "pruning")
    chosen = {group: experiment.option(group) for group in groups}
    scalars = {"batch size": str(experiment.batch_size), "peak lr": f"{experiment.lr:g}", "seed": str(experiment.seed)}
    drawn = {"sampling": experiment.sampling} if experiment.sampling != "natural" else {}
    return {key: name for key, name in chosen.items() if name != "none"} | scalars | drawn


def publish(node: Mapping[str, Any], exportable: Exportable, folder: Path, tracked: Run) -> list[Exported]:
    """Exports a model and tells of it.

    Args:
        node: Of the export option.
        exportable: What is exported.
        folder: Of the run; published files go into its `tflite`.
        tracked: The run.

    Raises:
        ExportError: If the model cannot be exported as it was asked for.
    """
    export: Export = config.build(node)
    with console.waiting(exportable.console, "exporting files, and proving each"):
        exported = export(exportable, folder / layout.TFLITE)
    if not exported:
        return []
    for entry in exported:
        tracked.log_metrics({f"tflite/{entry.kind}/{name}": value for name, value in entry.tracked().items()})
    withheld = [f"{entry.kind}: {entry.withheld}" for entry in exported if entry.withheld]
    if withheld:
        tracked.set_tags({"withheld": "; ".join(withheld)})
    (folder / layout.TABLES).mkdir(parents=True, exist_ok=True)
    csv_cells.safe(export_table.frame(exported)).to_csv(folder / layout.EXPORTS, index=False)
    picture = export_figure.trade_offs(_points(exported), "Exported files: accuracy against cost")
    figure_style.save(picture, folder / layout.FIGURES / "exports.png")
    model_file.write(folder / layout.CARD, model_card.render(exported, exportable).encode())
    show = exportable.console.print
    show(export_table.terminal(export_table.cells(exported, exportable.evaluation), "exported files against Keras"))
    show(export_table.terminal(export_table.costs(exported), "what they cost; latency at batch 1, p50 / p95"))
    for note in export_table.notes(exported):
        show(note, highlight=False, soft_wrap=True)
    return exported


def _points(exported: list[Exported]) -> pd.DataFrame:
    return pd.DataFrame([{"name": "", "kind": entry.kind, **entry.numbers()} for entry in exported])
