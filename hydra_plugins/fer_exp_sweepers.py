"""The door through which Hydra finds our sweeper: it takes plugins from `hydra_plugins` alone.

Imported by Hydra at every start, so it imports nothing heavy; what it opens on is `fer_exp.run.hparams.search`.
"""

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper as HydraSweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Sweeper(HydraSweeper):
    """Searches with one of `fer_exp.sweeper`.

    Args:
        **options: `hydra.sweeper.*`, which are read from the configuration once it is whole.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Takes what Hydra knows of the command, and the launcher that runs the trials."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> float | None:
        """Runs the search; returns the best value."""
        from fer_exp.run import sweep
        from fer_exp.run.hparams import search

        return search.run(self.config, self.hydra_context.config_loader, self.launcher, arguments, sweep.record)
