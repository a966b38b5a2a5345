"""Images in two splits are counted, told, noted, and refused if that is asked for."""

import logging
import re
import shlex
from pathlib import Path

import doctor_cases
import numpy as np
import pytest
from conftest import CommandLine
from contracts import compose

from fer_exp.data import leaks
from fer_exp.data.stored_rows import StoredRows
from fer_exp.dataset import Split, Splits
from fer_exp.errors import DataError


def made(on_disk: bool = False, clean: bool = False) -> Splits:
    """Train 0-9, val 9-11, test 8, 11, 12, by the grey level of the images; or all different."""
    levels = [range(10), range(10, 12), range(12, 15)] if clean else [range(10), (9, 10, 11), (8, 11, 12)]
    parts = []
    for of_split in levels:
        images = np.stack([np.full((4, 4, 1), level, np.uint8) for level in of_split])
        parts.append(Split.of_images(StoredRows(images) if on_disk else images, np.zeros(len(images), np.int64)))
    return Splits(*parts, ("one",), "digest", "here", {"kept": 1})


@pytest.mark.parametrize("on_disk", [False, True])
def test_leaks_are_counted_between_each_two_splits(on_disk: bool) -> None:
    assert leaks.find(made(on_disk)) == leaks.Leaks(test_in_train=1, test_in_val=1, val_in_train=1)


def test_a_leak_is_warned_about_with_numbers_and_command_and_noted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        splits = leaks.checked(made(), False, lambda: "dataset=fer2013 dataset.path=x.csv")
    assert splits.notes == {"kept": 1, "leaked_test_in_train": 1, "leaked_test_in_val": 1, "leaked_val_in_train": 1}
    (message,) = caplog.messages
    assert "1 of 3 test images are in train too, 1 of 3 test images are in val too, 1 of 3 val images" in message
    assert "`python -m fer_exp.doctor data dataset=fer2013 dataset.path=x.csv` shows them" in message


def _unasked() -> str:
    raise AssertionError("a command is composed only if it is told")


def test_strict_refuses_a_leak_and_nothing_else() -> None:
    with pytest.raises(DataError, match="`strict` allows no image in two splits. Received: 1 of 3 test .*strict=false"):
        leaks.checked(made(), True, str)
    clean = made(clean=True)
    assert leaks.checked(clean, True, _unasked) is clean


def test_strict_is_no_part_of_what_makes_two_runs_the_same() -> None:
    from fer_exp.options import fingerprint

    assert fingerprint.of(compose("strict=true")) == fingerprint.of(compose())


def test_a_training_on_leaking_data_is_refused_in_one_line(command_line: CommandLine, tmp_path: Path) -> None:
    doctor_cases.faulty(tmp_path / "faces")
    done = command_line(*doctor_cases.overrides(tmp_path / "faces"), "strict=true", "debug=fast")
    assert done.returncode == 2
    assert "error: `strict` allows no image in two splits. Received: 1 of 27 test images" in done.stderr
    (told,) = re.findall(r"`python -m fer_exp\.doctor data (.*?)` shows", done.stderr)
    options = [f"dataset.path={tmp_path / 'faces'}", "dataset.val=val", "dataset.on_bad_image=skip"]
    assert shlex.split(told) == ["dataset=image_folder", *options]
    assert "Traceback" not in done.stderr
