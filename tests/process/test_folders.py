"""Where nothing can be put is told before anything is tried."""

import os
from pathlib import Path

import pytest

from fer_exp.process import folders


def test_a_folder_may_be_made_with_those_above_it(tmp_path: Path) -> None:
    assert folders.objection(tmp_path / "a" / "b") == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["outputs", "outputs/2026/run"])
def test_a_file_in_its_place_or_above_is_named(path: str, tmp_path: Path) -> None:
    (tmp_path / "outputs").touch()
    assert folders.objection(tmp_path / path) == f"{tmp_path / 'outputs'} is no folder"


def test_a_link_that_leads_nowhere_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "outputs").symlink_to(tmp_path / "gone")
    assert folders.objection(tmp_path / "outputs" / "x") == f"{tmp_path / 'outputs'} is no folder"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # root may write everywhere
    assert folders.objection(tmp_path / "a" / "b") == f"{tmp_path} cannot be written"
