"""No GPU is refused that TensorFlow might find, and none is waited for that certainly is not there."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fer_exp.fit import devices

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only TensorFlow knows")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with two GPUs."""
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "proc" / "gpus" / name).mkdir(parents=True)
    (tmp_path / "site").mkdir()
    return tmp_path


def most(machine: Path, environment: Mapping[str, str] | None = None, driver: bool = True) -> int | None:
    def load(name: str) -> object:
        assert name == "libcuda.so.1"
        if not driver:
            raise OSError("no such library")
        return object()

    known = {key: value for key, value in os.environ.items() if key == "LD_LIBRARY_PATH"}
    return devices.most_gpus({**known, **(environment or {})}, machine / "proc", load, machine / "site")


def test_without_the_driver_there_is_none(machine: Path) -> None:
    assert most(machine, driver=False) == 0


@pytest.mark.parametrize(
    ("visible", "count"),
    [(None, 2), ("", 0), ("-1", 0), ("-1,0", 0), ("0", 1), ("1,0", 2), ("0,1,2,3", 2), ("GPU-5b", 1)],
)
def test_there_are_as_many_as_the_driver_has_and_the_environment_shows(
    visible: str | None, count: int, machine: Path
) -> None:
    assert most(machine, {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}) == count


def test_a_driver_that_says_nothing_of_its_devices_leaves_it_to_tensorflow(machine: Path, tmp_path: Path) -> None:
    (machine / "proc").rename(tmp_path / "elsewhere")
    assert most(machine) is None
    assert most(machine, {"CUDA_VISIBLE_DEVICES": "0"}) == 1


def test_a_device_in_parts_counts_as_many_as_nobody_knows(machine: Path) -> None:
    (machine / "proc" / "capabilities" / "gpu0" / "mig" / "gi1").mkdir(parents=True)
    assert most(machine) is None


def test_devices_of_other_makers_are_left_to_tensorflow(machine: Path) -> None:
    assert most(machine, {"TF_PLUGGABLE_DEVICE_LIBRARY_PATH": "x"}, driver=False) is None
    (machine / "site" / "tensorflow-plugins").mkdir()
    assert most(machine, driver=False) is None


def test_a_driver_that_only_the_job_will_find_is_not_missed(machine: Path) -> None:
    assert most(machine, {"LD_LIBRARY_PATH": "/opt/cuda"}, driver=False) == 2
