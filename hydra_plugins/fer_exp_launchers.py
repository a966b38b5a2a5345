"""The door through which Hydra finds our launchers: it takes plugins from `hydra_plugins` alone.

Imported by Hydra at every start, so it imports nothing heavy; what it opens on is `fer_exp.run.dispatch`.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher as HydraLauncher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Launcher(HydraLauncher):
    """Runs the jobs of a multirun with one of `fer_exp.launcher`.

    Args:
        builder: Dotted path of the launcher's builder.
        **options: Its options.
    """

    def __init__(self, builder: str, **options: Any) -> None:
        self._node = {"_target_": builder, **options}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Takes what Hydra knows of the command; the task function runs in other processes, so it is not needed."""
        self._loader, self._config = hydra_context.config_loader, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs a batch of jobs."""
        from fer_exp.run import dispatch

        return dispatch.launch(self._node, self._loader, self._config, job_overrides, initial_job_idx)
