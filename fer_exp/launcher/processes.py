"""One job after the other, each in a process of its own, in view on the terminal."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from fer_exp.launcher import Begun, Launch
from fer_exp.process import Job, Outcome, StartMethod, run

RUNS_HERE = True


def build(*, start_method: StartMethod) -> Launch:
    """Builds the launcher.

    Args:
        start_method: forkserver (a job is forked from a process that has imported TensorFlow and MLflow, on Linux) or
            spawn (a new interpreter for each job).
    """

    def launch(jobs: Sequence[Job], begun: Begun) -> Generator[Outcome, None, None]:
        for job in jobs:
            begun(replace(job, log=None))
            yield run(replace(job, log=None), start_method=start_method)

    return launch
