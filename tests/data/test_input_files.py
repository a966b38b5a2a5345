"""Which options of a data set name files, where these are from any working directory, and which a run keeps."""

import logging
from pathlib import Path

import pytest
from contracts import compose

from fer_exp.data import input_files

_FERPLUS = "dataset.sources.ferplus"
COMBINED = compose("dataset=combine", f"{_FERPLUS}.path=f.csv", f"{_FERPLUS}.votes='~/v.csv'")


def test_every_option_that_names_a_file_is_found_also_of_sources() -> None:
    assert list(input_files.options(compose("dataset=ferplus")["dataset"])) == ["path", "votes", "exclude", "relabel"]
    assert input_files.options(compose()["dataset"]) == {}
    found = input_files.options(COMBINED["dataset"])
    assert (found["sources.ferplus.path"], found["sources.ferplus.votes"]) == ("f.csv", "~/v.csv")
    assert {"exclude", "sources.rafdb.relabel", "sources.image_folder.path"} <= found.keys()


@pytest.mark.parametrize("target", ["os.path.build", "fer_exp.dataset.gone.build", None])
def test_a_recorded_node_that_leads_nowhere_names_nothing(target: str | None) -> None:
    assert input_files.options({"_target_": target, "path": "x"}) == {}


def test_paths_are_made_absolute_and_the_home_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sources = input_files.absolute(COMBINED["dataset"])["sources"]
    assert (sources["ferplus"]["path"], sources["ferplus"]["votes"]) == (str(tmp_path / "f.csv"), "~/v.csv")
    assert sources["rafdb"] == COMBINED["dataset"]["sources"]["rafdb"]
    assert COMBINED["dataset"]["sources"]["ferplus"]["path"] == "f.csv"


def test_corrections_are_kept_under_the_names_of_their_options(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many, kept = tmp_path / "few.csv", tmp_path / "many.csv", tmp_path / "kept"
    kept.mkdir()
    few.write_text("name\n")
    many.write_text("name\n" + "row 1\n" * 10)
    overrides = (f"dataset.exclude={few}", f"dataset.relabel={many}", f"dataset.sources.rafdb.exclude={few}")
    node = compose("dataset=combine", f"dataset.sources.rafdb.path={tmp_path}", *overrides)["dataset"]
    monkeypatch.setattr(input_files, "MOST_BYTES", 20)
    with caplog.at_level(logging.WARNING):
        input_files.keep(node, kept)
    assert sorted(file.name for file in kept.iterdir()) == [
        "dataset.exclude.csv",
        "dataset.sources.rafdb.exclude.csv",
    ]
    assert (kept / "dataset.exclude.csv").read_text() == "name\n"
    assert caplog.messages == [
        f"{many} is not kept with the run: it has more than 20 bytes. Keep it yourself: without it the run cannot be "
        "repeated."
    ]
