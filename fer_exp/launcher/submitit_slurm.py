"""Jobs as an array of a Slurm cluster, through submitit."""

import shutil
from collections.abc import Generator, Sequence
from typing import Any

from fer_exp.errors import ConfigError
from fer_exp.launcher import Begun, Launch, share_cores
from fer_exp.process import Job, Outcome
from fer_exp.run.submission import require_submitit, submitted
from fer_exp.signature import NonNegativeInt, PositiveFloat, PositiveInt


def build(
    *,
    submitit_folder: str,
    timeout_min: PositiveInt,
    array_parallelism: PositiveInt,
    cpus_per_task: PositiveInt,
    mem_gb: PositiveFloat | None,
    gpus_per_node: NonNegativeInt | None,
    partition: str | None,
    qos: str | None,
    account: str | None,
    constraint: str | None,
    setup: list[str] | None,
    additional_parameters: dict[str, Any],
) -> Launch:
    """Builds the launcher.

    The working directory must be the same on every node, and so must the installation; runs are tracked by a server
    (`tracking.uri=http://...`), because SQLite on a network file system is not safe with several writers.

    Args:
        submitit_folder: Where submitit keeps its files, seen by every node; `%j` stands for the job's id.
        timeout_min: Minutes after which Slurm ends a job, >= 1.
        array_parallelism: Jobs at once, >= 1.
        cpus_per_task: Cores of a job, >= 1; it uses as many threads.
        mem_gb: Memory of a job in GB, > 0; null takes the cluster's default.
        gpus_per_node: GPUs of a job, >= 0; null asks for none.
        partition: Slurm's partition; null takes the default one.
        qos: Slurm's quality of service.
        account: What is charged.
        constraint: Features that the node must have.
        setup: Shell lines that run before a job, for example to load modules.
        additional_parameters: Any other parameter of `sbatch`, by its long name.

    Raises:
        ConfigError: If submitit is not installed, or there is no Slurm.
    """
    require_submitit()
    if shutil.which("sbatch") is None:
        raise ConfigError(
            ["`hydra/launcher` submitit_slurm needs Slurm's sbatch on the PATH. Elsewhere: hydra/launcher=joblib."]
        )
    chosen = {
        "timeout_min": timeout_min,
        "cpus_per_task": cpus_per_task,
        "mem_gb": mem_gb,
        "gpus_per_node": gpus_per_node,
        "slurm_array_parallelism": array_parallelism,
        "slurm_partition": partition,
        "slurm_qos": qos,
        "slurm_account": account,
        "slurm_constraint": constraint,
        "slurm_setup": setup,
        "slurm_additional_parameters": additional_parameters,
    }

    def launch(jobs: Sequence[Job], begun: Begun) -> Generator[Outcome, None, None]:
        import submitit

        executor = submitit.AutoExecutor(submitit_folder, cluster="slurm")
        executor.update_parameters(**{key: value for key, value in chosen.items() if value is not None})
        yield from submitted(executor, [share_cores(job, 1, cpus_per_task) for job in jobs], begun, None)

    return launch
