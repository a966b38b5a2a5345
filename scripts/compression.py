"""Measures what compression costs on FER2013, with several seeds, and writes the tables of docs/compression.md.

    python scripts/compression.py --data data/fer2013.csv.gz --weights data/mobilenet_v2_0.35_224_no_top.weights.h5
    python scripts/compression.py --only pruning_cnn distillation --seeds 3
    python scripts/compression.py --only pruning_cnn --list                  the commands, without running them
    python scripts/compression.py --add debug=fast epochs=1 --document try.md     a trial whose numbers mean nothing

Every training is a run of its own in MLflow (experiment `compression`). One that is finished there is not repeated, so
that a measurement can be interrupted and continued.
"""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import compression_costs
import numpy as np
import pandas as pd
from claims import finished, interval, metric, verdict
from compression_costs import Cost
from compression_studies import STUDIES, Study
from document import markdown, replace_section
from mlflow.entities import Run
from rich.console import Console
from studies import fer2013, measuring, with_seeds

from fer_exp.tracking import tracking_uri

DOCUMENT = Path(__file__).parents[1] / "docs" / "compression.md"
EXPERIMENT = "compression"


def main() -> None:
    """Runs what is missing and writes what there is."""
    options = with_seeds(_parser())
    uri = tracking_uri(options.uri)
    data = fer2013(options.data)
    console = Console()
    listed: set[str] = set()  # studies share steps
    for name in options.only:
        found: dict[tuple[str, int], Run] = {}
        for seed in range(options.seeds):  # all steps of a seed before the next one: an early end leaves pairs
            for title, step in STUDIES[name].steps.items():
                needed = found.get((step.needs or "", seed))
                run = needed.info.run_id if needed else f"id-of-{step.needs}-seed-{seed}"
                overrides = step.command(data, seed, options.weights, run, options.add)
                done = finished(uri, EXPERIMENT).get(" ".join(overrides))
                if done is None:
                    command = [sys.executable, "-m", "fer_exp", *overrides]
                    line = shlex.join(["python", *command[1:]])
                    if line not in listed:
                        console.print(line, highlight=False, markup=False, soft_wrap=True)
                    listed.add(line)
                    if options.list:
                        continue
                    subprocess.run([*command, f"tracking.uri={uri}"], check=True)
                    done = finished(uri, EXPERIMENT)[" ".join(overrides)]
                found[title, seed] = done
        if not options.list:
            runs = {step: [found[step, seed] for seed in range(options.seeds)] for step in STUDIES[name].steps}
            replace_section(options.document, name, section(name, STUDIES[name], runs, uri, options.costs))


def section(name: str, study: Study, runs: dict[str, list[Run]], uri: str, costs: bool) -> str:
    """Returns the table of a study, its verdicts and its command.

    Args:
        name: Of the study.
        study: What was compared.
        runs: Of each step, one for each seed.
        uri: Of the store that they are in.
        costs: Export the networks of the first seed and measure the files.
    """
    networks = {step: of[0] for step, of in runs.items()}
    measured = compression_costs.of_networks(uri, networks) if costs and not study.kinds else {}
    table, verdicts = _of_files(study, runs) if study.kinds else _of_steps(study, runs, measured)
    seeds = len(next(iter(runs.values())))
    command = f"`python scripts/compression.py --only {name}`: {seeds} seeds"
    return "\n".join([markdown(pd.DataFrame(table)), "", *[f"- {line}" for line in verdicts], "", command])


def _of_steps(
    study: Study, runs: dict[str, list[Run]], costs: Mapping[str, Cost]
) -> tuple[list[dict[str, str]], list[str]]:
    accuracy = {step: metric(of, "test/accuracy") for step, of in runs.items()}
    titles = list(runs)
    pairs = [(step, base) for base in study.baselines for step in titles[titles.index(base) + 1 :]]
    gained = {(step, base): accuracy[step] - accuracy[base] for step, base in pairs if step not in study.baselines}
    rows = [
        {
            "network": step,
            "multiply-adds": f"{_tag(of, 'multiply_adds').mean() / 1e6:.2f} M",
            "parameters": f"{_tag(of, 'parameters').mean():,.0f}",
            **_shown(costs.get(step)),
            "test accuracy": interval(accuracy[step]),
            "macro-F1": interval(metric(of, "test/macro_f1")),
            **{
                f"accuracy minus '{base}'": interval(gained[step, base], signed=True) if (step, base) in gained else ""
                for base in study.baselines
            },
            "minutes": f"{np.mean([(run.info.end_time - run.info.start_time) / 60_000 for run in of]):.1f}",
        }
        for step, of in runs.items()
    ]
    return rows, [verdict(step, base, difference) for (step, base), difference in gained.items()]


def _shown(cost: Cost | None) -> dict[str, str]:
    if cost is None:
        return {}
    return {"int8, MB": f"{cost.size_mb:.2f}", "p50, ms (faster by)": f"{cost.latency_ms:.2f} ({cost.faster:.2f}x)"}


def _of_files(study: Study, runs: dict[str, list[Run]]) -> tuple[list[dict[str, str]], list[str]]:
    (of,) = runs.values()
    accuracy = {kind: metric(of, f"tflite/{kind}/accuracy") for kind in study.kinds}
    rows = [
        {
            "file": f"{kind}.tflite",
            "MB": f"{metric(of, f'tflite/{kind}/size_mb').mean() / 100:.2f}",
            "p50, ms": f"{metric(of, f'tflite/{kind}/latency_ms_p50').mean() / 100:.2f}",
            "validation accuracy": interval(metric(of, f"tflite/{kind}/val_accuracy")),
            "test accuracy": interval(accuracy[kind]),
            "agreement with Keras, %": interval(metric(of, f"tflite/{kind}/agreement")),
        }
        for kind in study.kinds
    ]
    pairs = list(zip(study.kinds[1:], study.kinds, strict=False))
    verdicts = [verdict(kind, before, accuracy[kind] - accuracy[before]) for kind, before in pairs]
    val = {kind: metric(of, f"tflite/{kind}/val_accuracy") for kind in study.kinds}
    verdicts += [f"On validation: {verdict(kind, before, val[kind] - val[before])}" for kind, before in pairs]
    if "int8_qat" in study.kinds:
        kept = int(metric(of, "tflite/int8_qat/trained").sum() / 100)
        verdicts.append(f"int8_qat is the file that was trained with the rounding in {kept} of {len(of)} runs.")
    return rows, verdicts


def _tag(runs: Sequence[Run], name: str) -> np.ndarray:
    return np.array([float(run.data.tags[name]) for run in runs])


def _parser() -> argparse.ArgumentParser:
    parser = measuring(__doc__, "runs of each step")
    parser.add_argument("--weights", default="data/mobilenet_v2_0.35_224_no_top.weights.h5", help="of MobileNetV2 0.35")
    parser.add_argument("--only", nargs="+", choices=list(STUDIES), default=list(STUDIES), metavar="study")
    parser.add_argument("--add", nargs="+", default=[], metavar="key=value", help="overrides of every run, for a trial")
    parser.add_argument(
        "--no-costs",
        dest="costs",
        action="store_false",
        help="leave out size and latency as int8, which are measured now",
    )
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    return parser


if __name__ == "__main__":
    main()
