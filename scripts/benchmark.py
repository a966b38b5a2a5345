"""Measures the speed of everything, side by side with what people use today, and writes docs/benchmarks.md.

    python scripts/benchmark.py                      everything: half an hour on two cores; leave the machine alone
    python scripts/benchmark.py cnn mobilenet_v2     some sections
    python scripts/benchmark.py overhead --quick --no-write    does everything work?

Each section replaces its own table in docs/benchmarks.md and becomes a run in MLflow. The peers come with
`pip install -e ".[benchmark]"`.
"""

import argparse
import os
import platform
import re
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import mlflow
import pandas as pd
import psutil
from benchmarks import costs, races
from benchmarks.race import Effort
from document import markdown, replace_section
from rich.console import Console
from rich.table import Table

from fer_exp.tracking import tracking_uri

ROOT = Path(__file__).parents[1]
Section = Callable[[Effort], pd.DataFrame]
SECTIONS: dict[str, Section] = {
    "cnn": races.cnn,
    "mobilenet_v2": races.mobilenet_v2,
    "precision": races.precision,
    "caching": races.caching,
    "startup": costs.startup,
    "data": costs.data,
    "augmentation": costs.augmentation,
    "augmentation_in_training": races.augmentation_in_training,
    "prediction": costs.prediction,
    "overhead": races.overhead,
    "scaling": races.scaling,
    "cost": races.cost,
    "peak": costs.peak,
}


def main() -> None:
    """Runs the sections that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"any of: {', '.join(SECTIONS)}; all if none")
    parser.add_argument("--repetitions", type=int, default=5, help="rounds of each comparison, >= 1")
    parser.add_argument("--uri", help="MLflow tracking URI; ./mlflow.db unless given")
    parser.add_argument("--document", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works")
    parser.add_argument("--no-write", action="store_true", help="leave the document alone")
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown or options.repetitions < 1:
        parser.error(f"sections must be among: {', '.join(SECTIONS)}; repetitions >= 1. Received: {unknown}.")
    mlflow.set_tracking_uri(tracking_uri(options.uri))
    mlflow.set_experiment("benchmarks")
    console = Console()
    effort = Effort(1 if options.quick else options.repetitions, Path("benchmark.log").resolve(), options.quick)
    for name in options.sections or SECTIONS:
        began = time.perf_counter()
        console.print(f"{name}: {(SECTIONS[name].__doc__ or '').strip()}", highlight=False)
        found = SECTIONS[name](effort)
        console.print(_on_screen(found), f"{time.perf_counter() - began:.0f} s\n")
        _track(name, found, effort)
        if not options.no_write:
            command = f"`python scripts/benchmark.py {name}` on {machine()}, {date.today():%Y-%m-%d}"
            replace_section(options.document, name, f"{markdown(found)}\n\n{command}")


def machine() -> str:
    """Returns processor, cores and memory in words."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    amx = ", AMX" if any("amx_bf16" in line for line in lines) else ""
    return f"{os.cpu_count()} cores of {model}{amx}, {psutil.virtual_memory().total / 2**30:.0f} GiB"


def _on_screen(found: pd.DataFrame) -> Table:
    table = Table(*map(str, found.columns))
    for row in found.itertuples(index=False):
        table.add_row(*map(str, row))
    return table


def _track(name: str, found: pd.DataFrame, effort: Effort) -> None:
    with mlflow.start_run(run_name=name):
        mlflow.log_params({"repetitions": effort.repetitions, "quick": effort.quick, "machine": machine()})
        mlflow.log_table(found.astype(str), "table.json")
        for column in found.columns[found.dtypes.map(pd.api.types.is_numeric_dtype)]:
            key = re.sub(r"[^\w .-]", " ", column.replace("/", " per "))  # what MLflow takes in a name
            for row, value in enumerate(found[column]):
                mlflow.log_metric(key, float(value), step=row)


if __name__ == "__main__":
    main()
