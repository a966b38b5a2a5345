"""Several jobs at once on this machine."""

import os
from pathlib import Path

import launcher_contract
import pytest
from contracts import launcher_node

from fer_exp.errors import ConfigError
from fer_exp.options import config
from fer_exp.process import Job


def test_the_outcomes_of_all_jobs_come_back_and_each_has_its_share_of_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    printed = launcher_contract.check_outcomes("joblib", tmp_path, n_jobs=2)
    assert "cache_dir: '2'" in printed[0]


def test_minus_one_is_a_job_for_every_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(3)))
    assert "cache_dir: '1'" in launcher_contract.check_outcomes("joblib", tmp_path, n_jobs=-1)[2]


def test_a_job_that_is_alone_has_no_more_threads_than_its_twin_had_beside_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    shown = ["--cfg", "job", "--resolve", "cache_dir=${oc.env:TF_NUM_INTRAOP_THREADS,unset}"]
    job = Job(0, "alone", shown, tmp_path, tmp_path / "log")
    (outcome,) = config.build(launcher_node("joblib", n_jobs=2))([job], lambda job: None)
    assert outcome.exit_code == 0
    assert "cache_dir: '2'" in (tmp_path / "log").read_text()  # another number would change the last bits of a result


def test_closing_ends_the_jobs(sleeper: Path) -> None:
    launcher_contract.check_that_closing_ends_the_jobs("joblib", sleeper, n_jobs=2)


def test_a_job_that_cannot_be_started_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    launch = config.build(launcher_node("joblib", n_jobs=2))
    jobs = [Job(number, "", [], tmp_path / "missing", tmp_path / "log") for number in range(2)]
    with pytest.raises(FileNotFoundError):
        list(launch(jobs, lambda job: None))


def test_zero_jobs_at_once_are_refused() -> None:
    with pytest.raises(ConfigError, match="launcher.n_jobs` must be greater than 0 or -1. Received: launcher.n_jobs=0"):
        config.build(launcher_node("joblib", n_jobs=0))
