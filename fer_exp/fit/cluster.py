"""Which process of a cluster this is, from TF_CONFIG.

Called by the command line, which lets one process alone keep records, and by `strategy.multi_worker`. It must not
import TensorFlow.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fer_exp.errors import ConfigError

_EXAMPLE = (
    '{"cluster": {"worker": ["10.0.0.1:5001", "10.0.0.2:5001"]}, "task": {"type": "worker", "index": 0}} on the first '
    "machine, with index 1 on the second"
)


@dataclass(frozen=True)
class Place:
    """This process among the others.

    Attributes:
        index: Its number, from 0; the first one is the chief, which keeps the records.
        processes: How many there are.
    """

    index: int
    processes: int

    @property
    def chief(self) -> bool:
        """Whether it is the one that writes files and logs."""
        return self.index == 0


def place(environment: Mapping[str, str]) -> Place:
    """Reads TF_CONFIG.

    Args:
        environment: The environment's variables.

    Raises:
        ConfigError: If it is not set, or does not say which worker of which cluster this is.
    """
    text = environment.get("TF_CONFIG")
    if text is None:
        raise ConfigError([f"strategy=multi_worker needs TF_CONFIG in the environment: {_EXAMPLE}."])
    try:
        values: Any = json.loads(text)
        workers, task, index = values["cluster"]["worker"], values["task"]["type"], values["task"]["index"]
        valid = set(values["cluster"]) == {"worker"} and task == "worker" and 0 <= index < len(workers) > 1
    except (json.JSONDecodeError, KeyError, TypeError):
        valid = False
    if not valid:
        raise ConfigError(
            [f"`TF_CONFIG` must name two workers or more, and which of them this is: {_EXAMPLE}. Received: {text}."]
        )
    return Place(index, len(workers))
