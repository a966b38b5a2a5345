"""A run's process is known to be alive or gone."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fer_exp.errors import StorageError
from fer_exp.run import owner


def test_this_process_is_alive() -> None:
    assert owner.state(owner.mark()) == "alive"


def test_a_process_that_was_killed_is_gone_even_before_its_parent_notices() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    tags = {**owner.mark(), owner.PID: str(process.pid)}
    process.kill()
    assert owner.state(tags) == "gone"
    process.wait()
    assert owner.state(tags) == "gone"


def test_another_process_with_the_same_number_is_not_the_owner() -> None:
    tags = owner.mark()
    assert owner.state({**tags, owner.STARTED: str(float(tags[owner.STARTED]) - 3600)}) == "gone"


def test_nothing_is_known_of_other_hosts_and_of_runs_without_an_owner() -> None:
    assert owner.state({**owner.mark(), owner.HOST: "elsewhere"}) == "elsewhere"
    assert owner.state({"host": "here"}) == "unknown"


def test_locks_of_no_run_lie_where_nobody_else_may_write(tmp_path: Path) -> None:
    folder = owner.locks(tmp_path / "cache")
    assert folder == tmp_path / "cache" / "locks"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert owner.locks(tmp_path / "cache") == folder


def test_a_cache_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="`cache_dir` must be a folder that can be written. Received: .*file"):
        owner.locks(tmp_path / "file")
