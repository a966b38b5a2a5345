"""Measures the speed of everything, side by side with what people use today, and writes docs/benchmarks.md.

    python scripts/benchmark.py                      everything: half an hour on two cores; leave the machine alone
    python scripts/benchmark.py cnn mobilenet_v2     some sections
    python scripts/benchmark.py cnn --as-avx2        the same as on a processor without AVX-512, on any that has AVX2
    python scripts/benchmark.py overhead --quick --no-write    does everything work?

Each section replaces its own table in docs/benchmarks.md and becomes a run in MLflow; tables of processors with AVX-512
and of those without stand beside each other. The peers come with `pip install -e ".[benchmark]"`.
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
from benchmarks import costs, jobs, races, startup
from benchmarks.cpu import Cpu, of_machine
from benchmarks.race import Effort
from document import markdown, replace_section
from rich.console import Console
from rich.table import Table

from fer_exp.tracking import tracking_uri

ROOT = Path(__file__).parents[1]
Section = Callable[[Effort], pd.DataFrame]
RACES: dict[str, Section] = {
    "cnn": races.cnn,
    "fer_resnet": races.fer_resnet,
    "mobilenet_v2": races.mobilenet_v2,
    "precision": races.precision,
    "caching": races.caching,
    "augmentation_in_training": races.augmentation_in_training,
    "overhead": races.overhead,
    "scaling": races.scaling,
    "cost": races.cost,
}
SECTIONS: dict[str, Section] = {
    **RACES,
    "startup": startup.startup,
    "jobs": jobs.jobs,
    "data": costs.data,
    "augmentation": costs.augmentation,
    "prediction": costs.prediction,
    "peak": costs.peak,
}


def main() -> None:
    """Runs the sections that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"any of: {', '.join(SECTIONS)}; all if none")
    parser.add_argument("--as-avx2", action="store_true", help="as on a processor without AVX-512; for the races")
    parser.add_argument("--batch", type=int, help="the one batch size of cnn and fer_resnet, >= 1; all unless given")
    parser.add_argument("--repetitions", type=int, default=5, help="rounds of each comparison, >= 1")
    parser.add_argument("--uri", help="MLflow tracking URI; ./mlflow.db unless given")
    parser.add_argument("--document", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works")
    parser.add_argument("--no-write", action="store_true", help="leave the document alone")
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown or options.repetitions < 1 or (options.batch or 1) < 1:
        parser.error(f"sections must be among: {', '.join(SECTIONS)}; repetitions and batch >= 1. Received: {unknown}.")
    cpu = of_machine(options.as_avx2)
    refused = [reason for name in options.sections if (reason := refusal(name, cpu))]
    if refused:
        parser.error(" ".join(refused))
    if not (cpu.kind or options.no_write):
        parser.error(f"{options.document} has tables of AVX-512 and of AVX2: add --no-write. Received: {machine(cpu)}.")
    mlflow.set_tracking_uri(tracking_uri(options.uri))
    mlflow.set_experiment("benchmarks")
    repetitions, log = 1 if options.quick else options.repetitions, Path("benchmark.log").resolve()
    effort = Effort(repetitions, log, options.quick, cpu, options.batch)
    for name in options.sections or [name for name in SECTIONS if not refusal(name, cpu)]:
        found = _measure(name, effort)
        if not options.no_write:
            replace_section(options.document, cpu.place(name), content(name, found, effort))


def refusal(name: str, cpu: Cpu) -> str | None:
    """Returns why a section cannot be measured on a processor, if so."""
    if cpu.as_avx2 and name not in RACES:
        return f"--as-avx2 is for comparisons of training: {', '.join(RACES)}. Received: {name}."
    if name == "precision" and not cpu.bfloat16:
        return f"precision is for processors that multiply bfloat16. Received: {cpu.words}."
    return None


def content(name: str, found: pd.DataFrame, effort: Effort) -> str:
    """Returns what the document says of a section: on what kind of processor, the table, how and where it was made."""
    cpu = effort.cpu
    of_batch = f" --batch {effort.batch}" if effort.batch else ""
    return measured(found, f"python scripts/benchmark.py {name}{' --as-avx2' if cpu.as_avx2 else ''}{of_batch}", cpu)


def measured(found: pd.DataFrame, command: str, cpu: Cpu) -> str:
    """Returns a table between the kind of processor and the command that made it, on what machine and when."""
    kind = {"AVX-512": "With AVX-512:", "AVX2": "With AVX2 only:"}[cpu.kind]
    return f"{kind}\n\n{markdown(found)}\n\n`{command}` on {machine(cpu)}, {date.today():%Y-%m-%d}"


def machine(cpu: Cpu) -> str:
    """Returns processor, cores and memory in words."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{os.cpu_count()} cores of {model} ({cpu.words}), {psutil.virtual_memory().total / 2**30:.0f} GiB"


def _measure(name: str, effort: Effort) -> pd.DataFrame:
    """Measures a section, shows it and logs it."""
    console, began = Console(), time.perf_counter()
    console.print(f"{name}: {(SECTIONS[name].__doc__ or '').strip()}", highlight=False)
    found = SECTIONS[name](effort)
    console.print(_on_screen(found), f"{time.perf_counter() - began:.0f} s\n")
    _track(name, found, effort)
    return found


def _on_screen(found: pd.DataFrame) -> Table:
    table = Table(*map(str, found.columns))
    for row in found.itertuples(index=False):
        table.add_row(*map(str, row))
    return table


def _track(name: str, found: pd.DataFrame, effort: Effort) -> None:
    with mlflow.start_run(run_name=effort.cpu.place(name)):
        mlflow.log_params({"repetitions": effort.repetitions, "quick": effort.quick, "machine": machine(effort.cpu)})
        mlflow.log_table(found.astype(str), "table.json")
        for column in found.columns[found.dtypes.map(pd.api.types.is_numeric_dtype)]:
            key = re.sub(r"[^\w .-]", " ", column.replace("/", " per "))  # what MLflow takes in a name
            for row, value in enumerate(found[column]):
                mlflow.log_metric(key, float(value), step=row)


if __name__ == "__main__":
    main()
