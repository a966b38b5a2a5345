"""What makes two runs the same: their configuration without what only says where things go.

Called by `experiment`. It knows the root keys that do not matter, and no option.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fer_exp import __version__

VOLATILE = ("name", "tracking", "cache_dir", "resume", "registered_model", "strict")


def of(values: Mapping[str, Any]) -> str:
    """Returns a hex digest that two resolved configurations share if they ask for the same run.

    Args:
        values: Plain containers; `VOLATILE` keys are left out, of the root and of every group.
    """
    lasting = {key: _without_volatile(value) for key, value in values.items() if key not in VOLATILE}
    text = json.dumps([__version__, lasting], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_volatile(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: inner for key, inner in value.items() if key not in VOLATILE}
    return value
