"""Sheets show each class with its count, and each mistake with truth and prediction."""

import numpy as np
import pytest
from reporting.test_figure import LABELS, NAMES, evaluation, texts

from fer_exp.reporting import image_sheets


def images(count: int = 8, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 16, 16, channels), np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_sheet_of_wrong_images_names_truth_and_prediction(channels: int) -> None:
    shown = " ".join(texts(image_sheets.confidently_wrong(evaluation(), images(channels=channels))))
    assert "angry" in shown
    assert "80 %" in shown


def test_a_perfect_model_has_no_wrong_images_and_the_sheet_says_so() -> None:
    shown = texts(image_sheets.confidently_wrong(evaluation(LABELS), images()))
    assert "There are none: all 8 images are classified correctly." in shown


def test_samples_show_each_class_with_its_count() -> None:
    shown = texts(image_sheets.samples(images(), LABELS, NAMES))
    assert set(NAMES) <= set(shown)


def test_images_that_do_not_fit_the_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="`images` must be uint8"):
        image_sheets.samples(images(5), LABELS, NAMES)
