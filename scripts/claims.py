"""Measures what articles on FER claim, with several seeds each, and writes docs/claims.md and docs/imbalance.md.

    python scripts/claims.py --data data/fer2013.csv.gz --weights data/mobilenet_v2_0.35_224_no_top.weights.h5
    python scripts/claims.py --data data/fer2013.csv.gz --only schedule batch_norm
    python scripts/claims.py --only schedule --list        the commands, without running them
    python scripts/claims.py --only imbalance              recall and F1 of each class, into docs/imbalance.md

Every training is a run of its own in MLflow (experiment `claims`). One that is finished there is not repeated, so that
a measurement can be interrupted and continued.
"""

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from document import markdown, replace_section
from mlflow.entities import Run
from rich.console import Console
from scipy import stats
from studies import STUDIES, Study, fer2013, measuring, with_seeds

from fer_exp.data.emotions import EMOTIONS
from fer_exp.tracking import tracking_uri

DOCUMENTS = Path(__file__).parents[1] / "docs"
EXPERIMENT = "claims"


def main() -> None:
    """Runs what is missing and writes what there is."""
    parser = measuring(__doc__, "runs of each variant")
    parser.add_argument("--weights", default="data/mobilenet_v2_0.35_224_no_top.weights.h5", help="of MobileNetV2 0.35")
    parser.add_argument("--only", nargs="+", choices=list(STUDIES), default=list(STUDIES), metavar="study")
    parser.add_argument("--document", type=Path, help="where the tables go; that of each study in docs/ unless given")
    options = with_seeds(parser)
    uri = tracking_uri(options.uri)
    data = fer2013(options.data)
    console = Console()
    for name in options.only:
        run_missing(STUDIES[name].with_weights(options.weights), data, options.seeds, uri, options.list, console)
    if not options.list:
        runs = finished(uri)
        for name in options.only:
            study = STUDIES[name].with_weights(options.weights)
            document = options.document or DOCUMENTS / study.document
            command = f"python scripts/claims.py --only {name}"
            replace_section(document, name, section(study, runs, data, options.seeds, command))


def run_missing(study: Study, data: Sequence[str], seeds: int, uri: str, only_list: bool, console: Console) -> None:
    """Prints the command of each run of a study that is not finished, and runs it unless `only_list` is set."""
    for seed in range(seeds):  # all variants of a seed before the next one: an early end leaves pairs
        for variant in study.variants:
            run_unless_finished(study.overrides(variant, data, seed), uri, EXPERIMENT, only_list, console)


def run_unless_finished(overrides: Sequence[str], uri: str, name: str, only_list: bool, console: Console) -> None:
    """Prints the command of a run that an experiment has not finished, and runs it unless `only_list` is set."""
    if " ".join(overrides) in finished(uri, name):
        return
    command = [sys.executable, "-m", "fer_exp", *overrides]
    console.print(shlex.join(["python", *command[1:]]), highlight=False, markup=False, soft_wrap=True)
    if not only_list:
        subprocess.run([*command, f"tracking.uri={uri}"], check=True)


def finished(uri: str, name: str = EXPERIMENT) -> dict[str, Run]:
    """Returns the finished runs of an experiment by the overrides that made them."""
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return {}
    runs = client.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'", max_results=5000)
    return {run.data.tags["overrides"].split(" tracking.uri=")[0]: run for run in runs}


def section(study: Study, runs: dict[str, Run], data: Sequence[str], seeds: int, command: str) -> str:
    """Returns the table of a study, its verdicts and the command that made it."""
    found = {
        variant: [runs[" ".join(study.overrides(variant, data, seed))] for seed in range(seeds)]
        for variant in study.variants
    }
    accuracy = {variant: metric(of, "test/accuracy") for variant, of in found.items()}
    first = next(iter(found))
    rows = []
    for variant, of in found.items():
        overrides = " ".join(study.variants[variant]) or "as the base"
        minutes = np.mean([(run.info.end_time - run.info.start_time) / 60_000 for run in of])
        row = {
            "variant": variant,
            "overrides": f"`{overrides}`",
            "test accuracy": interval(accuracy[variant]),
            "macro-F1": interval(metric(of, "test/macro_f1")),
            f"accuracy minus {first}": "" if variant == first else interval(accuracy[variant] - accuracy[first], True),
            "minutes": f"{minutes:.1f}",
        }
        if study.per_class:
            row |= {f"recall {label}": f"{metric(of, f'test/recall/{label}').mean():.1f}" for label in EMOTIONS}
        rows.append(row)
    verdicts = [f"- {verdict(v, first, accuracy[v] - accuracy[first])}" for v in list(found)[1:]]
    told = f"`{command}`: {seeds} seeds; base: `{' '.join(study.base)}`"
    classes = (
        [line for kind in ("recall", "f1") for line in ("", class_table(found, kind))] if study.class_tables else []
    )
    return "\n".join([markdown(pd.DataFrame(rows)), "", *verdicts, *classes, "", told])


def class_table(found: Mapping[str, Sequence[Run]], kind: str) -> str:
    """Returns recall or F1 of every class, a line for each variant; what is shown with more than chance is bold.

    Args:
        found: Runs of each variant, paired by their order; the first variant is what the others are compared with.
        kind: `recall` or `f1`.
    """
    first = next(iter(found))
    rows = []
    for variant, runs in found.items():
        row = {"recall, %" if kind == "recall" else "F1, %": variant}
        for label in EMOTIONS:
            values = metric(runs, f"test/{kind}/{label}")
            differences = values - metric(found[first], f"test/{kind}/{label}")
            row[label] = f"**{interval(values)}**" if abs(differences.mean()) > half(differences) else interval(values)
        rows.append(row)
    return markdown(pd.DataFrame(rows))


def metric(runs: Sequence[Run], name: str) -> np.ndarray:
    """Returns a metric of the runs in points."""
    return 100 * np.array([run.data.metrics[name] for run in runs])


def interval(values: np.ndarray, signed: bool = False) -> str:
    """Returns the mean and the half-width of its 95 % interval by Student's t."""
    return f"{values.mean():+.1f} ± {half(values):.1f}" if signed else f"{values.mean():.1f} ± {half(values):.1f}"


def half(values: np.ndarray) -> float:
    """Returns the half-width of the 95 % interval of a mean by Student's t."""
    return float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))


def verdict(variant: str, first: str, differences: np.ndarray) -> str:
    """Returns in words what the paired differences show."""
    mean, width = differences.mean(), half(differences)
    if abs(mean) <= width:
        interval = f"interval ± {width:.1f} includes zero"
        return f"{variant} against {first}: no difference shown ({mean:+.1f} points, {interval})."
    better = "better" if mean > 0 else "worse"
    return f"{variant} is {better} than {first} by {abs(mean):.1f} points (± {width:.1f})."


if __name__ == "__main__":
    main()
