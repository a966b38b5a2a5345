"""Jobs through submitit on this machine: the way they take on a Slurm cluster, tried without one."""

from collections.abc import Generator, Sequence

from fer_exp.launcher import Begun, Launch, share_cores
from fer_exp.process import Job, Outcome
from fer_exp.run.submission import require_submitit, submitted
from fer_exp.signature import PositiveInt

RUNS_HERE = True


def build(*, submitit_folder: str, timeout_min: PositiveInt, array_parallelism: PositiveInt) -> Launch:
    """Builds the launcher.

    Args:
        submitit_folder: Where submitit keeps its files; `%j` stands for the job's id.
        timeout_min: Minutes after which a job is ended, >= 1.
        array_parallelism: Jobs at once, >= 1.

    Raises:
        ConfigError: If submitit is not installed.
    """
    require_submitit()

    def launch(jobs: Sequence[Job], begun: Begun) -> Generator[Outcome, None, None]:
        import submitit

        executor = submitit.AutoExecutor(submitit_folder, cluster="local")
        executor.update_parameters(timeout_min=timeout_min)
        yield from submitted(executor, [share_cores(job, array_parallelism) for job in jobs], begun, array_parallelism)

    return launch
