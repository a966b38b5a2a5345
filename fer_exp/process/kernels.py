"""Whose kernels compute on a CPU: oneDNN's, unless the environment says otherwise.

Called when `fer_exp` is imported, so before anything of it can import TensorFlow, which reads the switch once. By
itself TensorFlow leaves oneDNN off on processors without AVX-512 or a matrix unit, which is what most laptops have, and
trains there at half the speed. The two differ in the last bits of every number.
"""

import os
import sys
from collections.abc import Mapping, MutableMapping

SWITCH = "TF_ENABLE_ONEDNN_OPTS"
_NAMES = {"1": "oneDNN", "0": "Eigen"}


def choose(environment: MutableMapping[str, str]) -> None:
    """Turns oneDNN on, unless that is decided already.

    Args:
        environment: `os.environ`.
    """
    if "tensorflow" in sys.modules:  # a program of somebody else's: TensorFlow has made its own choice
        from tensorflow.python.util import _pywrap_util_port

        environment[SWITCH] = "1" if _pywrap_util_port.IsMklEnabled() else "0"
    environment.setdefault(SWITCH, "0" if sys.platform == "darwin" else "1")  # TensorFlow for macOS is built without


def problems(environment: Mapping[str, str]) -> list[str]:
    """Returns what is wrong with the switch, for people."""
    value = environment.get(SWITCH, "1")
    if value in _NAMES:
        return []
    return [f"The environment variable {SWITCH} must be 1 (oneDNN's kernels) or 0 (Eigen's). Received: {value!r}."]


def chosen() -> str:
    """Returns whose kernels this process computes with: `oneDNN` or `Eigen`."""
    return _NAMES[os.environ[SWITCH]]


def other() -> str:
    """Returns whose kernels it does not compute with."""
    return next(name for name in _NAMES.values() if name != chosen())


def objection_to_other() -> str:
    """Returns why this process does not go on with what the other kernels compute, and which command does."""
    switch = next(value for value, name in _NAMES.items() if name == other())
    return f"{other()}'s kernels compute it: {SWITCH}={switch} before the command goes on with it"
