"""What makes two runs the same: their configuration without what only says where things go, and whose kernels compute.

Called by `experiment` and `sweep`. It knows the root keys that do not matter, and no option.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fer_exp.process import kernels

# The version in which the numbers of a training last changed. Whoever changes what a configuration computes writes the
# coming version here: runs from before are then not gone on with, and not taken for the same. Other releases leave it.
TRAINING = "0.1.0"
VOLATILE = ("name", "tracking", "cache_dir", "resume", "registered_model", "strict")


@dataclass(frozen=True)
class Identity:
    """What makes two runs the same.

    Attributes:
        fingerprint: Of the configuration, computed by the kernels of this process.
        by_other_kernels: The fingerprint that it has where other kernels compute.
    """

    fingerprint: str
    by_other_kernels: str


def of(values: Mapping[str, Any], computed_by: str | None = None) -> str:
    """Returns a hex digest that two resolved configurations share if they ask for the same run.

    Args:
        values: Plain containers; `VOLATILE` keys are left out, of the root and of every group.
        computed_by: Whose kernels compute, as in `kernels`; None for those of this process.
    """
    lasting = {key: _without_volatile(value) for key, value in values.items() if key not in VOLATILE}
    text = json.dumps([TRAINING, lasting, computed_by or kernels.chosen()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def identity(values: Mapping[str, Any]) -> Identity:
    """Returns what makes a run with this configuration the same as another.

    Args:
        values: As given to `of`.
    """
    return Identity(of(values), of(values, kernels.other()))


def _without_volatile(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: inner for key, inner in value.items() if key not in VOLATILE}
    return value
