"""What every launcher must do, checked with jobs that need no TensorFlow."""

import time
from pathlib import Path
from typing import Any

import psutil
from contracts import launcher_node

from fer_exp.options import config
from fer_exp.process import Job


def check_outcomes(option: str, folder: Path, **options: Any) -> dict[int, str]:
    """Runs two good jobs and one that is refused; returns what each of them printed."""
    good = ["--cfg", "job", "--resolve", "cache_dir=${oc.env:TF_NUM_INTRAOP_THREADS,unset}"]
    jobs = [
        Job(number, f"job {number}", arguments, folder, folder / f"{number}.log", {"FER_EXP_MARK": "1"})
        for number, arguments in enumerate([good, ["lr=-1"], good])
    ]
    begun: list[Job] = []
    outcomes = list(config.build(launcher_node(option, **options))(jobs, begun.append))
    assert {outcome.number: outcome.exit_code for outcome in outcomes} == {0: 0, 1: 2, 2: 0}
    assert sorted(job.number for job in begun) == [0, 1, 2]
    (refused,) = [outcome for outcome in outcomes if outcome.exit_code]
    assert (refused.name, refused.error[:28]) == ("job 1", "`lr` must be greater than 0.")
    return {job.number: job.log.read_text() for job in jobs if job.log is not None and job.log.exists()}


def check_that_closing_ends_the_jobs(option: str, folder: Path, **options: Any) -> None:
    """Closes a sweep while its second job runs: what runs ends in order, what waits does not begin.

    Args:
        option: The launcher.
        folder: Of the fixture `sleeper`, whose jobs end at once if they are given an argument.
        **options: Of the launcher.
    """
    jobs = [Job(0, "", ["end"], folder, folder / "0.log"), Job(1, "", [], folder, folder / "1.log")]
    outcomes = config.build(launcher_node(option, **options))(jobs, lambda job: None)
    assert next(outcomes).exit_code == 0
    deadline = time.monotonic() + 90
    if option != "processes":  # which begins a job when its outcome is asked for
        while not (folder / "ready").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    outcomes.close()
    while any("fer_exp" in process.info["cmdline"] and process.info["cwd"] == str(folder) for process in processes()):
        assert time.monotonic() < deadline, "a job outlived its sweep"
        time.sleep(0.1)
    assert (folder / "closed").exists() == (option != "processes")


def processes() -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline", "cwd"]) if process.info["cmdline"]]
