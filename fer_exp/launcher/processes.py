"""One job after the other, each in a process of its own, in view on the terminal."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from fer_exp.launcher import Launch
from fer_exp.process import Job, Outcome, run


def build() -> Launch:
    """Builds the launcher."""

    def launch(jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        for job in jobs:
            yield run(replace(job, log=None))

    return launch
