"""Prints the results of tracked runs as a markdown table, each row with the command that made it.

python scripts/results_table.py                       finished runs in ./mlflow.db, experiment fer_exp
python scripts/results_table.py --experiment study --uri http://127.0.0.1:5000
"""

import argparse
from pathlib import Path

import mlflow
import pandas as pd
from document import markdown, replace_section
from mlflow.entities import Run

from fer_exp.options.config import option_name
from fer_exp.tracking import tracking_uri

COLUMNS = [
    "model",
    "command: `python -m fer_exp ...`",
    "parameters",
    "multiply-adds",
    "minutes",
    "test accuracy (95 %)",
    "test macro-F1 (95 %)",
    "`.tflite`, MB: float32 / dynamic / int8",
    "agreement with Keras",
    "p50, ms",
]


def row(run: Run) -> list[str]:
    """Returns the cells of one run; a dash stands for what it did not measure."""
    metrics, tags = run.data.metrics, run.data.tags

    def percent(name: str) -> str:
        if f"test/{name}" not in metrics:
            return "-"
        value, low, high = (100 * metrics[f"test/{name}{end}"] for end in ("", "_low", "_high"))
        return f"{value:.1f} % ({low:.1f}-{high:.1f})"

    def files(name: str, scale: float, digits: int) -> str:
        kinds = [metrics.get(f"tflite/{kind}/{name}") for kind in ("float32", "dynamic", "int8")]
        return " / ".join("-" if value is None else f"{value * scale:.{digits}f}" for value in kinds)

    target = run.data.params.get("model._target_")
    return [
        option_name({"_target_": target}) if target else "-",
        f"`{' '.join(word for word in tags.get('overrides', '').split() if not word.startswith('tracking.'))}`",
        f"{int(tags['parameters']):,}" if "parameters" in tags else "-",
        f"{int(tags['multiply_adds']) / 1e6:.1f} M" if "multiply_adds" in tags else "-",
        f"{(run.info.end_time - run.info.start_time) / 60_000:.0f}",
        percent("accuracy"),
        percent("macro_f1"),
        files("size_mb", 1, 2),
        files("agreement", 1, 4),
        files("latency_ms_p50", 1, 2),
    ]


def main() -> None:
    """Prints the table, oldest run first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uri", help="tracking URI; default: mlflow.db in the working directory")
    parser.add_argument("--experiment", default="fer_exp", help="name of the MLflow experiment")
    parser.add_argument("--document", type=Path, help="document whose section `results` the table replaces")
    options = parser.parse_args()
    client = mlflow.MlflowClient(tracking_uri(options.uri))
    experiment = client.get_experiment_by_name(options.experiment)
    if experiment is None:
        parser.error(f"--experiment must exist in {tracking_uri(options.uri)}. Received: {options.experiment}.")
    runs = client.search_runs(
        [experiment.experiment_id], "attributes.status = 'FINISHED'", order_by=["attributes.start_time ASC"]
    )
    table = pd.DataFrame([row(run) for run in runs if "test/accuracy" in run.data.metrics], columns=COLUMNS)
    print(markdown(table))
    if options.document is not None:
        replace_section(options.document, "results", markdown(table))


if __name__ == "__main__":
    main()
