"""Contract of a strategy: `build(*, ...) -> tf.distribute.Strategy`.

Called by `experiment` through `config.build`, before anything else touches TensorFlow, because devices and threads
are fixed at its first use. A strategy must not know model or data.

An option may have `glance(environment, **options)` beside it, which refuses what is certainly not there; it is called
with the variables of the process that will train, before anything imports TensorFlow.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fer_exp.errors import ConfigError

if TYPE_CHECKING:
    from fer_exp.options.config import Experiment


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


def problems(experiment: "Experiment") -> Iterator[str]:
    """Yields what is wrong with the strategy beside the rest of a configuration."""
    e, name = experiment, experiment.option("strategy")
    devices = e.strategy.get("devices")
    if isinstance(devices, int) and e.batch_size % devices:
        yield (
            f"`batch_size` must be divisible by the {devices} replicas of strategy={name}, because it counts the "
            f"images of all replicas together. Received: batch_size={e.batch_size}."
        )
    if e.precision == "mixed_float16" and name == "cpu":
        yield "`precision` mixed_float16 needs a GPU: use strategy=gpu, or precision=mixed_bfloat16 on a CPU."
    if name != "multi_worker":
        return
    if e.resume != "never":
        yield (
            "`resume` must be never with strategy=multi_worker: the state of a training is kept on one machine only. "
            f"Received: resume={e.resume}."
        )
    for group in ("distillation", "pruning"):
        if e.option(group) != "none":
            yield (
                f"`{group}` must be none with strategy=multi_worker: its other processes read no tracking store. "
                f"Received: {group}={e.option(group)}."
            )
