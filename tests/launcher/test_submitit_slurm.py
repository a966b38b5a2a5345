"""Jobs on a real Slurm cluster of one machine."""

import sys
from collections.abc import Iterator
from pathlib import Path

import launcher_contract
import pytest
from contracts import launcher_node
from slurm_cluster import needs_slurm, slurm

from fer_exp.errors import ConfigError
from fer_exp.options import config

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    with slurm() as configuration:
        yield configuration


@needs_slurm
def test_the_outcomes_of_all_jobs_come_back_and_each_uses_the_cores_it_asked_for(
    cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", str(cluster))
    options = {"submitit_folder": str(tmp_path / "s"), "cpus_per_task": 1, "mem_gb": None, "partition": "cpu"}
    printed = launcher_contract.check_outcomes("submitit_slurm", tmp_path, **options)
    assert "cache_dir: '1'" in printed[0]


@needs_slurm
def test_closing_ends_the_jobs(cluster: Path, sleeper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", str(cluster))
    options = {"submitit_folder": str(sleeper / "s"), "cpus_per_task": 1, "mem_gb": None}
    launcher_contract.check_that_closing_ends_the_jobs("submitit_slurm", sleeper, **options)


def test_without_slurm_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="needs Slurm's sbatch on the PATH"):
        config.build(launcher_node("submitit_slurm", submitit_folder="s"))


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigError, match=r"needs the package submitit: pip install 'fer-exp\[slurm\]'"):
        config.build(launcher_node("submitit_slurm", submitit_folder="s"))
