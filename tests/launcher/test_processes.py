"""One job after the other, in view."""

from pathlib import Path

import launcher_contract


def test_the_outcomes_of_all_jobs_come_back(tmp_path: Path) -> None:
    launcher_contract.check_outcomes("processes", tmp_path)


def test_closing_begins_no_more_jobs(sleeper: Path) -> None:
    launcher_contract.check_that_closing_ends_the_jobs("processes", sleeper)
