"""What is read as a picture, and what is said of everything else."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from fer_exp.data import image_formats


@pytest.mark.parametrize("name", ["a.jfif", "A.JPG", "b.tif", "c.gif", "d.pgm", "e.avif", "f.mpo", "g.apng", "h.jp2"])
def test_whatever_pillow_reads_is_a_picture(name: str) -> None:
    assert image_formats.is_picture(name)
    assert Path(name).suffix.lower() in image_formats.endings()


@pytest.mark.parametrize(
    "name", ["a.eps", "a.ps", "a.wmf", "a.h5", "a.mpg", "a.fits", "a.pdf", "a.txt", "jpg", ".jpg", "a.heic", "a.jxl"]
)
def test_what_needs_a_program_or_a_package_or_is_no_picture_is_none(name: str) -> None:
    assert not image_formats.is_picture(name)


def test_formats_without_a_signature_are_tried_only_if_the_name_says_so() -> None:
    assert "TGA" in image_formats.formats("a.tga")
    assert "TGA" not in image_formats.formats("a.png")
    assert not {"EPS", "WMF", "SPIDER", "HDF5"} & set(image_formats.formats("a.eps"))


def test_files_are_counted_by_kind_with_the_reason_and_those_of_the_system_are_not_mentioned() -> None:
    names = [
        *("x/a.HEIC", "x/b.heif", "x/c.heic", "a.jxl", "a.CR2", "a.svg", "film.mp4", "more.zip", "a.txt", "README"),
        *("Thumbs.db", "desktop.ini"),
    ]
    assert image_formats.by_kind(names).split("), ") == [
        "1 .cr2, 1 .svg (convert them to PNG or JPEG",
        "2 .heic, 1 .heif (install pillow-heif to read them",
        "1 .jxl (install pillow-jxl-plugin to read them",
        "1 .txt, 1 without an ending (no pictures",
        "1 .zip (unpack them",
        "1 .mp4 (videos)",
    ]
    assert image_formats.by_kind(["Thumbs.db"]) == ""


@pytest.mark.parametrize(
    ("head", "package"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pillow-heif"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "pillow-heif"),
        (b"\xff\x0a\xfa\x1f", "pillow-jxl-plugin"),
        (b"\xff\xd8\xff\xe0", ""),
        (b"", ""),
    ],
)
def test_what_a_picture_needs_is_told_by_its_content_whatever_it_is_called(
    head: bytes, package: str, tmp_path: Path
) -> None:
    path = tmp_path / "IMG_0001.jpg"
    path.write_bytes(head)
    assert image_formats.needs(path) == package


def test_a_plugin_adds_its_format(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for pillow-heif, which tells Pillow of its format in the same way."""
    (tmp_path / "pillow_heif.py").write_text(
        "from PIL import BmpImagePlugin, Image\n"
        "def register_heif_opener():\n"
        "    Image.register_open('HEIF', BmpImagePlugin.BmpImageFile, lambda head: head[4:12] == b'ftypheic')\n"
        "    Image.register_extension('HEIF', '.heic')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for registry in ("ID", "OPEN", "EXTENSION"):
        monkeypatch.setattr(Image, registry, getattr(Image, registry).copy())
    before = image_formats.readable()
    image_formats._known.cache_clear()
    try:
        assert image_formats.is_picture("a.HEIC")
        assert "HEIF" in image_formats.formats("a.jpg")
        assert image_formats.readable() != before
    finally:
        monkeypatch.undo()
        sys.modules.pop("pillow_heif", None)
        image_formats._known.cache_clear()
    assert not image_formats.is_picture("a.heic")
