"""A run's process is known to be alive or gone."""

import subprocess
import sys

from fer_exp import owner


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
