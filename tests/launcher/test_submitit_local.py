"""Jobs through submitit on this machine."""

import sys
from pathlib import Path

import launcher_contract
import pytest
from contracts import launcher_node

from fer_exp.errors import ConfigError
from fer_exp.options import config

pytestmark = pytest.mark.whole


def test_the_outcomes_of_all_jobs_come_back(tmp_path: Path) -> None:
    launcher_contract.check_outcomes(
        "submitit_local", tmp_path, submitit_folder=str(tmp_path / "s"), array_parallelism=2
    )


def test_closing_ends_the_jobs(sleeper: Path) -> None:
    options = {"submitit_folder": str(sleeper / "s"), "array_parallelism": 2}
    launcher_contract.check_that_closing_ends_the_jobs("submitit_local", sleeper, **options)


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigError, match=r"needs the package submitit: pip install 'fer-exp\[slurm\]'"):
        config.build(launcher_node("submitit_local", submitit_folder="s"))
