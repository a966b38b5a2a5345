"""Where nothing can be put is told before anything is tried, and what is put is whole."""

import os
import re
from pathlib import Path

import pytest
from conftest import ROOT

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


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_takes_the_place_of_another_once_it_is_whole(durable: bool, tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    for text in ("first", "second"):
        with folders.put(path, durable=durable) as part:
            assert part.name.endswith(".table.csv")  # writers go by the ending
            part.write_text(text)
            assert not path.exists() or path.read_text() == "first"
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_what_breaks_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def break_on_the_way() -> None:
        with folders.put(path) as part:
            part.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        break_on_the_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_put_at_once_do_not_write_into_each_other(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with folders.put(path) as one, folders.put(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # which ended last


def test_nobody_else_renames_what_it_has_written() -> None:
    """One function knows how; folders that are filled for hours are continued, and so have a name that stays."""
    renaming = {
        path.name
        for path in (ROOT / "fer_exp").rglob("*.py")
        if re.search(r"os\.replace\(|os\.rename\(|part\.replace\([a-z]|part\.rename\(|shutil\.move\(", path.read_text())
    }
    assert renaming == {"folders.py", "image_store.py"}
