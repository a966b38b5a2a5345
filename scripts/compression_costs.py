"""What the networks of recorded runs cost as int8 files: size and latency, measured side by side.

Called by `compression`. What a network has learned changes neither, so ranges come from random rows.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlflow.entities import Run

from fer_exp.lite import benchmark, conversion, model_file
from fer_exp.network import recorded_model
from fer_exp.options import config
from fer_exp.options.commandline import composed
from fer_exp.record.names import INPUTS
from fer_exp.tracking import Tracker

_ROUNDS, _CALLS = 5, 300


@dataclass(frozen=True)
class Cost:
    """Of one file.

    Attributes:
        size_mb: Its size in 10^6 bytes.
        latency_ms: Median over rounds of the median of calls at batch 1, on one thread.
        faster: Median over rounds of how many times as long the first network takes.
    """

    size_mb: float
    latency_ms: float
    faster: float


def of_networks(uri: str, runs: Mapping[str, Run]) -> dict[str, Cost]:
    """Exports the model of each run as int8 and measures it; in each round all of them, one after the other.

    Args:
        uri: Of the tracking store.
        runs: By the name of the network.

    Raises:
        ValueError: If a run has recorded no model.
    """
    tracker: Tracker = config.build(composed([f"tracking.uri={uri}"])["tracking"])
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: _exported(tracker, run, Path(folder) / f"{n}") for n, (name, run) in enumerate(runs.items())}
        rounds = [
            [benchmark.measure(path, [1], _CALLS).latency[1].p50 for path in paths.values()] for _ in range(_ROUNDS)
        ]
        milliseconds = np.array(rounds)
        faster = np.median(milliseconds[:, :1] / milliseconds, axis=0)
        return {
            name: Cost(path.stat().st_size / 1e6, float(np.median(milliseconds[:, n])), float(faster[n]))
            for n, (name, path) in enumerate(paths.items())
        }


def _exported(tracker: Tracker, run: Run, folder: Path) -> Path:
    folder.mkdir()
    model, specs, names = recorded_model.read(
        lambda path, where: tracker.download(run.info.run_id, path, where), folder, run.data.tags.get(INPUTS)
    )
    random = np.random.default_rng(0)
    rows = {
        name: random.uniform(*spec.about.limits, (20, *spec.shape)).astype(spec.about.dtype)
        for name, spec in specs.items()
    }
    path = folder / "int8.tflite"
    model_file.write(path, conversion.convert(model, "int8", names, rows))
    return path
