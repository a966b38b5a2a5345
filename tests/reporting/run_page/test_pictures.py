"""Every figure gets into the page, in reading order, small enough."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from fer_exp.reporting.run_page import pictures


def draw(folder: Path, *names: str, side: int = 40, noise: bool = False) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        pixels = np.full((side, 2 * side, 3), 200, np.uint8)
        if noise:
            pixels = np.random.default_rng(0).integers(0, 256, pixels.shape, np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")


def opened(picture: pictures.Picture) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture.data.partition(",")[2])))


def test_all_figures_are_taken_in_reading_order_unknown_ones_last(tmp_path: Path) -> None:
    draw(tmp_path / "f", "exports", "zebra_stripes", "roc_curves", "confusion_matrix_counts", "grad_cam_happy")
    draw(tmp_path / "f", "confusion_matrix_normalized", "a_thing", "training_curves", "reliability_diagram_int8")
    found, left_out = pictures.collect(tmp_path / "f")
    assert left_out == []
    assert [(picture.section, picture.caption) for picture in found] == [
        ("Training", "Training curves: one panel for each metric, the kept epoch marked"),
        ("Confusions", "Confusion matrix in shares of each true class"),
        ("Confusions", "Confusion matrix in numbers of images"),
        ("Ranking, calibration, robustness", "ROC curve of each class against the others"),
        ("Ranking, calibration, robustness", "Reliability diagram int8"),
        ("Examples", "Grad cam happy"),
        ("Exported files", "Exported files: accuracy against size and time of a call"),
        ("More figures", "A thing"),
        ("More figures", "Zebra stripes"),
    ]


def test_a_picture_that_fits_keeps_its_size(tmp_path: Path) -> None:
    draw(tmp_path / "f", "training_curves")
    ((picture,), _) = pictures.collect(tmp_path / "f")
    assert (picture.width, picture.height) == opened(picture).size == (80, 40)


def test_large_pictures_are_made_smaller_until_all_fit(tmp_path: Path) -> None:
    draw(tmp_path / "f", "a", "b", side=900, noise=True)
    found, left_out = pictures.collect(tmp_path / "f", most_bytes=900_000)
    assert left_out == []
    assert sum(len(picture.data) for picture in found) <= 900_000
    assert opened(found[0]).size[0] == found[0].width < 1800


def test_what_does_not_fit_at_all_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "f", "training_curves")
    draw(tmp_path / "f", "other", side=400, noise=True)
    found, left_out = pictures.collect(tmp_path / "f", most_bytes=2_000)
    assert [picture.section for picture in found] == ["Training"]
    assert left_out == ["other.png"]


def test_a_run_without_figures_has_no_pictures(tmp_path: Path) -> None:
    assert pictures.collect(tmp_path / "figures") == ([], [])
