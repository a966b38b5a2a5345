"""Jobs on a Ray cluster, or on one that is started here for the sweep."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any

from fer_exp.errors import ConfigError
from fer_exp.launcher import Begun, Launch, share_cores
from fer_exp.process import Job, Outcome, failed, run
from fer_exp.signature import NonNegativeFloat, PositiveInt

_END_SECONDS = 90.0  # in which cancelled jobs close their runs


def build(
    *, address: str | None, num_cpus: PositiveInt | None, cpus_per_job: PositiveInt, gpus_per_job: NonNegativeFloat
) -> Launch:
    """Builds the launcher.

    The working directory and the installation must be the same on every node, and runs are tracked by a server.

    Args:
        address: Of the cluster, for example `auto` or `ray://head:10001`; null starts one on this machine.
        num_cpus: Cores that a cluster started here offers, >= 1; null takes all. Not used with an address.
        cpus_per_job: Cores of a job, >= 1; it uses as many threads.
        gpus_per_job: GPUs of a job, >= 0; fractions share one.

    Raises:
        ConfigError: If Ray is not installed, or a job asks for more cores than there are.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ConfigError(["`hydra/launcher` ray needs the package ray: pip install 'fer-exp[ray]'."]) from error

    def launch(jobs: Sequence[Job], begun: Begun) -> Generator[Outcome, None, None]:
        local = {"num_cpus": num_cpus, "include_dashboard": False} if address is None else {"address": address}
        ray.init(**local, log_to_driver=False, configure_logging=False)
        try:
            most = max((node["Resources"].get("CPU", 0) for node in ray.nodes()), default=0)
            if most < cpus_per_job:
                raise ConfigError(
                    [
                        f"`hydra.launcher.cpus_per_job` must be at most the {most:g} cores of the largest node, or no "
                        f"job ever begins. Received: hydra.launcher.cpus_per_job={cpus_per_job}."
                    ]
                )
            remote = ray.remote(num_cpus=cpus_per_job, num_gpus=gpus_per_job, max_retries=0)(run)
            yield from _outcomes(remote, [share_cores(job, 1, cpus_per_job) for job in jobs], begun)
        finally:
            ray.shutdown()

    return launch


def _outcomes(remote: Any, jobs: Sequence[Job], begun: Begun) -> Iterator[Outcome]:
    """Yields the outcome of each job as it ends; `remote` is Ray's handle of `process.run`."""
    import ray

    running = {}
    for job in jobs:
        running[remote.remote(job)] = job
        begun(job)
    try:
        while running:
            (done,), _ = ray.wait(list(running), num_returns=1)
            job = running.pop(done)
            try:
                yield ray.get(done)
            except ray.exceptions.RayError as error:  # the worker or its node is gone, or the job never began
                yield failed(job, f"Ray reports: {str(error).strip().splitlines()[-1]}")
    finally:
        for task in running:
            ray.cancel(task, force=False)  # interrupts the waiting, which ends the job
        if running:
            ray.wait(list(running), num_returns=len(running), timeout=_END_SECONDS)
