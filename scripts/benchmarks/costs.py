"""What is measured without a race: reading of data, augmentation, prediction, the share of the peak."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.race import Effort, environment
from benchmarks.samples import ROWS_OF_FER2013, write_csv


def data(effort: Effort) -> pd.DataFrame:
    """All rows of FER2013 from csv to arrays."""
    with tempfile.TemporaryDirectory() as folder:
        csv = write_csv(Path(folder) / "fer2013.csv", ROWS_OF_FER2013)
        kinds = ["fer_exp", "fer_exp_again", "pandas"]
        found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
        for repetition in range(effort.repetitions):
            for kind in kinds:
                cache = Path(folder) / f"cache{repetition}"
                command = [sys.executable, "-m", "benchmarks.read_csv", kind, str(csv), str(cache)]
                answer = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
                found[kind].append(json.loads(answer.stdout))
    rows = []
    for kind, name in zip(kinds, ["fer_exp, first time", "fer_exp, again", "pandas.read_csv, row by row"], strict=True):
        ratios = [other["seconds"] / own["seconds"] for own, other in zip(found[kind], found["pandas"], strict=True)]
        rows.append({
            "reader": name,
            "seconds": round(float(np.median([one["seconds"] for one in found[kind]])), 2),
            "faster than pandas by": f"{np.median(ratios):.1f}x",
            "peak memory, MB": round(float(np.median([one["peak_mb"] for one in found[kind]]))),
        })  # fmt: skip
    return pd.DataFrame(rows)


def augmentation(effort: Effort) -> pd.DataFrame:
    """Images a second of augmentation on its own, on one core."""
    kinds = ["light", "strong", "ImageDataGenerator"]
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(effort.repetitions):
        for kind in kinds:
            command = [sys.executable, "-m", "benchmarks.augment_only", kind]
            with effort.log.open("a") as errors:
                answer = subprocess.run(
                    command, stdout=subprocess.PIPE, stderr=errors, text=True, check=True, env=environment()
                )
            rates[kind].append(json.loads(answer.stdout)["rate"])
    own = np.array(rates["ImageDataGenerator"])
    return pd.DataFrame(
        {
            "augmentation": kinds,
            "images/s on one core": [round(float(np.median(rates[kind]))) for kind in kinds],
            "faster than ImageDataGenerator by": [f"{np.median(np.array(rates[kind]) / own):.1f}x" for kind in kinds],
        }
    )


def prediction(effort: Effort) -> pd.DataFrame:
    """Rows of a csv through fer_exp.predict, against the loops of the tutorials over images in memory."""
    images = 256 if effort.quick else 4000
    with tempfile.TemporaryDirectory() as folder:
        write_csv(Path(folder) / "rows.csv", images)
        command = [sys.executable, "-m", "benchmarks.predict_rows", f"--folder={folder}"]
        with effort.log.open("a") as errors:
            subprocess.run([*command, "--make"], stdout=errors, stderr=errors, check=True, env=environment())
            answer = subprocess.run(
                [*command, f"--images={images}", f"--rounds={effort.repetitions}"],
                stdout=subprocess.PIPE, stderr=errors, text=True, check=True, env=environment(),
            )  # fmt: skip
    rates = pd.DataFrame(json.loads(answer.stdout.splitlines()[-1]))
    own = {name.rpartition(" ")[2]: name for name in rates if name.startswith("fer_exp")}
    rows = []
    for name in rates:
        ratios = rates[own[name.rpartition(" ")[2]]] / rates[name]
        rows.append({
            "way": name,
            "images/s": round(rates[name].median()),
            "fer_exp is faster by": f"{ratios.median():.2f}x",
            "middle half": f"{ratios.quantile(0.25):.2f}-{ratios.quantile(0.75):.2f}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def peak(effort: Effort) -> pd.DataFrame:
    """What share of the processor's matrix-multiply peak each net reaches, and where the rest of a step goes."""
    precisions = ["float32", *(["mixed_bfloat16"] if effort.cpu.bfloat16 else [])]
    command = [sys.executable, "-m", "benchmarks.share_of_peak", str(effort.repetitions), *precisions]
    with effort.log.open("a") as errors:
        answer = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, check=True, env=environment()
        )
    return pd.DataFrame(json.loads(answer.stdout.splitlines()[-1]))
