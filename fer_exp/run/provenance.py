"""What tells a run from others in the tracker: its name, its params, and tags that say where its numbers come from.

Called by `experiment`. It must not know how a run trains.
"""

import importlib.metadata
import json
import os
import platform
import re
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from fer_exp import __version__, process
from fer_exp.data import inputs
from fer_exp.dataset import Splits
from fer_exp.fit.assembly import Assembled
from fer_exp.lite import benchmark
from fer_exp.options import config
from fer_exp.process import keras_state, kernels
from fer_exp.record.names import INPUTS
from fer_exp.run.hparams import trial
from fer_exp.tracking import swept

_NAME = re.compile(r"[\w-]+", re.ASCII)
_LIBRARIES = ("numpy", "pillow", "scikit-learn", "ai-edge-litert")  # that numbers depend on, beside TensorFlow


def run_name(experiment: config.Experiment, overrides: Sequence[str]) -> str:
    """Returns a name that tells what differs: data set and model, then the other overrides.

    Args:
        experiment: The checked configuration.
        overrides: What the command line changed.
    """
    parts = [experiment.option("dataset"), experiment.option("model")]
    for key, value in swept(overrides).items():
        if key not in ("dataset", "model", "name", "cache_dir") and not key.startswith(("tracking", "hydra")):
            shown = Path(value).name if os.sep in value else value
            parts.append(f"{key}={shown}")
    return " ".join(parts)[:200]


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested mappings as one level with dotted keys.

    A mapping stays as it is if it is empty, or has a key that MLflow takes for no name, such as a folder called `a&b`.
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value and all(_NAME.fullmatch(str(inner)) for inner in value):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def tags(overrides: Sequence[str], splits: Splits, parts: Assembled) -> dict[str, Any]:
    """Returns where the numbers of a run come from: command, code, data, first weights, machine.

    Args:
        overrides: What the command line changed.
        splits: The data.
        parts: What is trained.
    """
    found: dict[str, Any] = {
        "overrides": " ".join(overrides) or "none",
        "git_commit": _git_commit(),
        "data_sha256": splits.sha256,
        INPUTS: json.dumps(inputs.as_plain(splits.specs)),
        "weights": parts.weights_origin,
        "precision": parts.precision,
        "kernels": kernels.chosen(),
        "keras": keras_state.described(),
        "environment": keras_state.told(os.environ),
        "parameters": parts.model.count_params(),
        "multiply_adds": parts.multiply_adds,
        "host": socket.gethostname(),
        "platform": f"Python {platform.python_version()}, TensorFlow {tf.__version__}, Keras {keras.__version__}",
        "version": __version__,
        "libraries": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES),
        "device": _device(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or process.cores(),
    }
    if tf.config.get_visible_devices("GPU"):
        found["tf32"] = tf.config.experimental.tensor_float_32_execution_enabled()
    found |= {f"data_{key}": value for key, value in splits.notes.items()} | trial.tags()
    if parts.teacher is not None:
        found["distilled_from"] = " ".join(parts.teacher.runs)
    found |= parts.inherited.tags if parts.inherited else {}
    keys = os.environ.get("FER_EXP_SWEPT", "").split()
    return found | {f"sweep.{key}": value for key, value in swept(overrides).items() if key in keys}


def _device() -> str:
    """Returns the names of the GPUs that compute, or that of the processor."""
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.get_visible_devices("GPU")]
    return ", ".join(str(gpu.get("device_name", "GPU")) for gpu in gpus) or benchmark.processor()


def _git_commit() -> str:
    """Returns the commit of this source, marked if it was changed since; `none` outside a checkout."""
    found = subprocess.run(  # noqa: S603
        ["git", "-C", str(config.PACKAGE), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "none"
