"""Measures the speed of everything, side by side with what people use today, and writes docs/benchmarks.md.

    python scripts/benchmark.py                      everything: half an hour on two cores; leave the machine alone
    python scripts/benchmark.py cnn mobilenet_v2     some sections
    python scripts/benchmark.py cnn --repetitions 1 --no-write

Each section replaces its own table in docs/benchmarks.md and becomes a run in MLflow. The peers come with
`pip install -e ".[benchmark]"`.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import mlflow
import pandas as pd
import psutil
from rich.console import Console
from rich.table import Table

from fer_exp.tracking.mlflow import absolute_uri

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts" / "benchmarks"))

import costs
import races

Section = Callable[[int, Path], pd.DataFrame]
SECTIONS: dict[str, Section] = {
    "cnn": races.cnn,
    "mobilenet_v2": races.mobilenet_v2,
    "precision": races.precision,
    "caching": races.caching,
    "startup": costs.startup,
    "data": costs.data,
    "augmentation": costs.augmentation,
    "augmentation_in_training": races.augmentation_in_training,
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
    parser.add_argument("--no-write", action="store_true", help="leave the document alone")
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown or options.repetitions < 1:
        parser.error(f"sections must be among: {', '.join(SECTIONS)}; repetitions >= 1. Received: {unknown}.")
    mlflow.set_tracking_uri(absolute_uri(options.uri))
    mlflow.set_experiment("benchmarks")
    console = Console()
    log = Path("benchmark.log").resolve()
    for name in options.sections or SECTIONS:
        began = time.perf_counter()
        console.print(f"{name}: {(SECTIONS[name].__doc__ or '').strip()}", highlight=False)
        found = SECTIONS[name](options.repetitions, log)
        console.print(_on_screen(found), f"{time.perf_counter() - began:.0f} s\n")
        _track(name, found, options.repetitions)
        if not options.no_write:
            write(options.document, name, found, f"{machine()}, {date.today():%Y-%m-%d}")


def write(document: Path, section: str, found: pd.DataFrame, measured_on: str) -> None:
    """Replaces the table of a section, which lies between two comments in the document.

    Raises:
        SystemExit: If the document has no place for it.
    """
    text = document.read_text(encoding="utf-8")
    begin, end = f"<!-- {section} -->\n", f"<!-- end of {section} -->"
    if begin not in text or end not in text:
        raise SystemExit(f"{document} must hold the comments {begin.strip()} and {end}.")
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    lines = [_markdown_row(list(found.columns)), _markdown_row(["---"] * found.shape[1])]
    lines += [_markdown_row(list(row)) for row in found.itertuples(index=False)]
    table = "\n".join([*lines, "", f"`python scripts/benchmark.py {section}` on {measured_on}"])
    document.write_text(f"{before}{begin}{table}\n{end}{after}", encoding="utf-8")


def machine() -> str:
    """Returns processor, cores and memory in words."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    amx = ", AMX" if any("amx_bf16" in line for line in lines) else ""
    return f"{os.cpu_count()} cores of {model}{amx}, {psutil.virtual_memory().total / 2**30:.0f} GiB"


def _markdown_row(cells: list[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _on_screen(found: pd.DataFrame) -> Table:
    table = Table(*map(str, found.columns))
    for row in found.itertuples(index=False):
        table.add_row(*map(str, row))
    return table


def _track(name: str, found: pd.DataFrame, repetitions: int) -> None:
    with mlflow.start_run(run_name=name):
        mlflow.log_params({"repetitions": repetitions, "machine": machine()})
        mlflow.log_table(found.astype(str), "table.json")
        for column in found.columns[found.dtypes.map(pd.api.types.is_numeric_dtype)]:
            for index, value in enumerate(found[column]):
                mlflow.log_metric(
                    f"{column.replace('/', ' per ').replace(',', '').replace('(', '').replace(')', '')}",
                    float(value),
                    step=index,
                )


if __name__ == "__main__":
    main()
