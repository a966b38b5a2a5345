"""Pictures as cameras, browsers and programs leave them become pixels, or one sentence about one file."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_exif import exif
from PIL import Image, ImageOps, PngImagePlugin

from fer_exp.data import image_files
from fer_exp.data.image_files import UndecodableError, decode_all, upright
from fer_exp.errors import DataError

PIXELS = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff", "avif"])
@pytest.mark.parametrize("orientation", [*range(10), None])
def test_a_picture_is_turned_as_the_camera_was_held(orientation: int | None, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"photo.{ending}"
    Image.fromarray(PIXELS).resize((96, 64)).save(path, exif=exif(orientation), quality=95)
    with Image.open(path) as opened:
        expected = ImageOps.exif_transpose(opened).convert("L")
    np.testing.assert_array_equal(np.asarray(upright(path, 1)), np.asarray(expected))


@pytest.mark.parametrize(
    "rational", [(-1, 0), (1, 0), (-1, -1), (-(2**31), 1)], ids=lambda rational: "{} of {}".format(*rational)
)
def test_of_exif_only_the_orientation_is_looked_at(rational: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(PIXELS).save(path, exif=exif(6, struct.pack(">ii", *rational)))
    assert upright(path, 1).size == (4, 6)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "block", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0XX", exif(6)[:-9], b"Exif\0\0II+\0"]
)
def test_a_malformed_exif_block_is_no_damage_of_the_pixels(block: bytes, tmp_path: Path) -> None:
    for ending in ("jpg", "png"):
        path = tmp_path / f"photo.{ending}"
        Image.fromarray(PIXELS).save(path, exif=block)
        assert set(upright(path, 1).size) == {4, 6}


@pytest.mark.parametrize(
    "error", [struct.error("bad"), IndexError(), ZeroDivisionError("x"), RuntimeError("y"), OSError("z")]
)
def test_whatever_a_decoder_raises_is_one_named_picture(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.bmp"
    for path in (good, bad):
        Image.fromarray(PIXELS).save(path)

    def fail(*_: object) -> None:
        raise error

    from PIL import BmpImagePlugin

    monkeypatch.setattr(BmpImagePlugin.BmpImageFile, "load", fail)
    with pytest.raises(DataError, match=r"bad\.bmp cannot be decoded: .*on_bad_image=skip"):
        decode_all([str(good), str(bad)], 4, 1, "error")
    _, failures = decode_all([str(good), str(bad)], 4, 1, "skip")
    assert list(failures) == [1]
    assert failures[1].startswith(type(error).__name__ if not isinstance(error, OSError) else "z")


def test_a_picture_that_needs_a_package_says_which_whatever_it_is_called(tmp_path: Path) -> None:
    path = tmp_path / "IMG_0001.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(UndecodableError, match="to read such pictures, install pillow-heif"):
        upright(path, 3)


def transparent(mode: str) -> Image.Image:
    """Left half opaque and dark, right half wholly transparent over a colour that nobody is to see, or half so."""
    image = Image.new("RGBA", (4, 2), (50, 50, 50, 255))
    image.paste((255, 0, 0, 0), (2, 0, 3, 2))
    image.paste((0, 0, 0, 128), (3, 0, 4, 2))
    return image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "ending"), [("RGBA", "png"), ("LA", "png"), ("RGBA", "webp"), ("RGBA", "tiff"), ("RGBA", "avif")]
)
def test_what_is_transparent_is_white_and_not_the_colour_hidden_under_it(
    mode: str, ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"logo.{ending}"
    large = transparent(mode).resize((64, 32), Image.Resampling.NEAREST)  # AVIF keeps colours of four pixels together
    large.save(path, **({"lossless": True, "exact": True} if ending == "webp" else {"quality": 100}))
    for channels in (1, 3):
        row = np.asarray(upright(path, channels)).reshape(32, 64, channels)[8, 8::16, 0].astype(int)
        assert np.abs(row - [50, 50, 255, 127]).max() <= (3 if ending == "avif" else 1)


def save_palette(path: Path) -> None:
    image = Image.new("P", (4, 2), 0)
    image.putpalette([50, 50, 50, 255, 0, 0])
    image.paste(1, (2, 0, 4, 2))
    image.save(path, transparency=1)


def save_palette_of_bytes(path: Path) -> None:
    image = Image.new("P", (4, 2), 0)
    image.putpalette([50, 50, 50, 255, 0, 0])
    image.paste(1, (2, 0, 4, 2))
    image.save(path, transparency=bytes([255, 0]))


def save_one_grey(path: Path) -> None:
    image = Image.new("L", (4, 2), 50)
    image.paste(7, (2, 0, 4, 2))
    image.save(path, transparency=7)


@pytest.mark.parametrize(
    ("save", "ending"),
    [(save_palette, "png"), (save_palette, "gif"), (save_palette_of_bytes, "png"), (save_one_grey, "png")],
)
def test_colours_that_are_declared_transparent_are_white_too(
    save: Callable[[Path], None], ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"logo.{ending}"
    save(path)
    assert np.asarray(upright(path, 1)).tolist() == [[50, 50, 255, 255]] * 2


def test_an_opaque_picture_with_transparency_keeps_every_pixel(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(colours).convert("RGBA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(upright(tmp_path / "a.png", 3)), colours)


@pytest.mark.parametrize("ending", ["gif", "tiff", "webp", "png"])
def test_of_several_pictures_in_a_file_the_first_is_taken(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"many.{ending}"
    frames = [Image.new("L", (8, 8), value) for value in (60, 120, 240)]
    frames[0].save(path, save_all=True, append_images=frames[1:], **({"lossless": True} if ending == "webp" else {}))
    assert np.asarray(upright(path, 1)).mean() == pytest.approx(60, abs=1)


def test_exif_behind_the_pixels_counts(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG")
    whole, end = stream.getvalue(), b"\0\0\0\0IEND\xaeB`\x82"
    late = io.BytesIO()
    PngImagePlugin.putchunk(late, b"eXIf", exif(6)[6:])
    path = tmp_path / "late.png"
    path.write_bytes(whole.removesuffix(end) + late.getvalue() + end)
    assert upright(path, 1).size == (4, 6)


def test_a_drawing_that_another_program_would_draw_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (8, 8)).save(path, "EPS")
    with pytest.raises(UndecodableError, match="cannot identify image file"):
        image_files.upright(path, 1)
