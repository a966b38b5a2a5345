"""Jobs on a real Ray cluster of one machine."""

import sys
from pathlib import Path

import launcher_contract
import pytest
from contracts import launcher_node

from fer_exp.errors import ConfigError
from fer_exp.options import config

pytestmark = pytest.mark.whole


def test_the_outcomes_of_all_jobs_come_back(tmp_path: Path) -> None:
    printed = launcher_contract.check_outcomes("ray", tmp_path, num_cpus=2)
    assert "cache_dir: '1'" in printed[0]


def test_closing_ends_the_jobs(sleeper: Path) -> None:
    launcher_contract.check_that_closing_ends_the_jobs("ray", sleeper, num_cpus=2)


def test_a_job_that_no_node_has_room_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be at most the 1 cores of the largest node"):
        list(config.build(launcher_node("ray", num_cpus=1, cpus_per_job=2))([], lambda job: None))


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"needs the package ray: pip install 'fer-exp\[ray\]'"):
        config.build(launcher_node("ray"))
