"""Contract of a strategy: `build(*, ...) -> tf.distribute.Strategy`.

Called by `experiment` through `config.build`, before anything else touches TensorFlow, because devices and threads
are fixed at its first use. A strategy must not know model or data.

An option may have `glance(environment, **options)` beside it, which refuses what is certainly not there; it is called
with the variables of the process that will train, before anything imports TensorFlow.
"""

from collections.abc import Callable
from typing import Any

from fer_exp.errors import ConfigError


def configure(call: Callable[..., Any], *arguments: Any) -> None:
    """Calls a `tf.config` function that only works before TensorFlow's first use.

    Raises:
        ConfigError: If another run of this process has already fixed it differently.
    """
    try:
        call(*arguments)
    except RuntimeError as error:
        raise ConfigError(
            [f"`strategy` is fixed once a process has used TensorFlow ({error}): give each strategy its own command."]
        ) from error
