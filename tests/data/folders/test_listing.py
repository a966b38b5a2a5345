"""Folders are walked once, lists are looked up in them, and nothing leads out."""

import os
from pathlib import Path

import numpy as np
import pytest

from fer_exp.data.folders import listing
from fer_exp.errors import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with pictures in two folders, hidden things, and a picture outside of it."""
    root = tmp_path / "data"
    for name in ("a/1.jpg", "a/2.png", "a/notes.txt", "b/1.jpg", ".git/x.jpg", "__MACOSX/1.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * len(name))
    (tmp_path / "outside.jpg").write_bytes(b"secret")
    return root


def test_folders_and_images_are_listed_by_name_without_what_is_hidden(root: Path) -> None:
    assert [entry.name for entry in listing.folders(root, root)] == ["a", "b"]
    images, others = listing.images(root / "a", root)
    assert [Path(image.path).name for image in images] == ["1.jpg", "2.png"]
    assert others == [str(root / "a" / "notes.txt")]
    assert [entry.name for entry in listing.entries(root / "a", root, ".jpg")] == ["1.jpg"]


def test_pictures_below_a_folder_follow_its_own(root: Path) -> None:
    for name in ("a/0 sub/3.jfif", "a/0 sub/deep/.hidden.jpg", "a/0 sub/deep/4.TIFF", "a/0 sub/notes.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    images, others = listing.images(root / "a", root)
    assert [os.path.relpath(image.path, root) for image in images] == [
        *("a/1.jpg", "a/2.png", "a/0 sub/3.jfif", "a/0 sub/deep/4.TIFF")
    ]
    assert [os.path.relpath(path, root) for path in others] == ["a/notes.txt", "a/0 sub/notes.md"]


def test_a_list_of_images_is_found_in_its_order(root: Path) -> None:
    found = listing.located(root, root, ["b/1.jpg", "a/2.png", "a/1.jpg"], "error")
    assert [os.path.relpath(file.path, root) for file in found.files] == ["b/1.jpg", "a/2.png", "a/1.jpg"]
    assert [file.size for file in found.files] == [7, 7, 7]
    assert found.present.all()


def test_each_folder_of_a_list_is_read_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    scan = os.scandir

    def counted(folder: Path) -> "os._ScandirIterator[str]":
        read.append(Path(folder).name)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", counted)
    listing.located(root, root, ["a/1.jpg", "b/1.jpg", "a/2.png"], "error")
    assert sorted(read) == ["a", "b"]


def test_images_that_are_not_there_are_an_error_or_left_out(root: Path) -> None:
    paths = ["a/1.jpg", "c/1.jpg", "a/3.jpg", "b/1.jpg"]
    with pytest.raises(DataError, match=r"c/1\.jpg is not there \(2 of 4 images are missing\).*on_bad_image=skip"):
        listing.located(root, root, paths, "error")
    found = listing.located(root, root, paths, "skip")
    assert found.present.tolist() == [True, False, False, True]
    assert [os.path.relpath(file.path, root) for file in found.files] == ["a/1.jpg", "b/1.jpg"]


@pytest.mark.parametrize("path", ["../outside.jpg", "a/../../outside.jpg", "/etc/passwd", "a\\1.jpg", "a/1.jpg\0"])
def test_a_list_that_leads_out_is_refused_also_if_missing_images_are_not(path: str, root: Path) -> None:
    with pytest.raises(DataError, match="A list of images must name paths below"):
        listing.located(root, root, ["a/1.jpg", path], "skip")


def test_dots_inside_a_name_lead_nowhere(root: Path) -> None:
    (root / "a" / "x..y.jpg").write_bytes(b"x")
    assert listing.located(root, root, ["a/x..y.jpg"], "error").present.tolist() == [True]


def test_links_that_lead_out_are_refused(root: Path, tmp_path: Path) -> None:
    (root / "c").symlink_to(tmp_path)
    with pytest.raises(DataError, match="c is a link out of"):
        listing.located(root, root, ["c/outside.jpg"], "error")
    with pytest.raises(DataError, match="c is a link out of"):
        listing.folders(root, root)


def test_something_is_found_in_a_root_or_one_folder_deeper(root: Path) -> None:
    assert listing.find(root, "a") == root / "a"
    assert listing.find(root, "2.png") == root / "a" / "2.png"
    assert listing.find(root, "3.png") is None
    with pytest.raises(DataError, match=r"holds 1\.jpg more than once: .*a/1\.jpg and .*b/1\.jpg"):
        listing.find(root, "1.jpg")


def test_what_is_no_folder_is_refused(root: Path) -> None:
    assert listing.root_of(str(root)) == root
    with pytest.raises(DataError, match=r"must be an existing folder\. Received: .*1\.jpg \(a file\)"):
        listing.root_of(str(root / "a" / "1.jpg"))


def test_an_empty_list_finds_nothing(root: Path) -> None:
    found = listing.located(root, root, [], "error")
    assert (found.files, found.present.tolist()) == ([], [])
    assert found.present.dtype == np.bool_
