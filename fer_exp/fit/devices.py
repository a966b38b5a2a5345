"""How many GPUs TensorFlow can find at most, told without importing it.

Called by the strategies before anything heavy is imported. What is not known for sure is left to TensorFlow.
"""

import ctypes
import os
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

_DRIVER = "libcuda.so.1"  # which TensorFlow loads by this name
_PACKAGES = ("tensorflow", "tensorflow-cpu")  # that reach GPUs through CUDA, if at all
_PROC = Path("/proc/driver/nvidia")


def most_gpus(
    environment: Mapping[str, str],
    proc: Path = _PROC,
    load: Callable[[str], object] = ctypes.CDLL,
    site: Path | None = None,
) -> int | None:
    """Returns how many GPUs TensorFlow finds at most; None where only TensorFlow knows.

    Args:
        environment: Of the process that will train.
        proc: Folder in which NVIDIA's driver tells of its devices.
        load: Loads a library, or raises an OSError.
        site: Folder of TensorFlow's package; None looks for it.
    """
    site = site or _site()
    if sys.platform != "linux" or site is None or _has_plugins(site, environment):
        return None
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    named = None if visible is None else [name.strip() for name in visible.split(",")]
    if named is not None and (named[0].startswith("-") or named == [""]):  # CUDA takes those before a wrong one
        return 0
    if environment.get("LD_LIBRARY_PATH") == os.environ.get("LD_LIBRARY_PATH"):
        try:
            load(_DRIVER)
        except OSError:
            return 0
    present = _devices(proc)
    known = [count for count in (present, None if named is None else len(named)) if count is not None]
    return min(known, default=None)


def _devices(proc: Path) -> int | None:
    """Returns how many devices the driver has; None if it does not say, or parts of one may count as several."""
    if not (proc / "gpus").is_dir() or any(proc.glob("capabilities/gpu*/mig/gi*")):
        return None
    return len(list((proc / "gpus").iterdir()))


def _site() -> Path | None:
    """Returns where TensorFlow is installed, if it is one that knows no devices but those of CUDA."""
    for name in _PACKAGES:
        try:
            return Path(str(metadata.distribution(name).locate_file("")))
        except metadata.PackageNotFoundError:
            continue
    return None


def _has_plugins(site: Path, environment: Mapping[str, str]) -> bool:
    """Tells whether devices of other makers may be added as plugins."""
    return "TF_PLUGGABLE_DEVICE_LIBRARY_PATH" in environment or (site / "tensorflow-plugins").is_dir()
