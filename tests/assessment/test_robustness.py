"""Accuracy under corruptions: a model whose failure is known, the same images throughout, the numbers by name."""

import numpy as np
import pytest
from scipy import stats

from fer_exp.assessment import robustness
from fer_exp.assessment.corruptions import CORRUPTIONS

LABELS = np.arange(60) % 3
# Even pictures, whose brightness tells the class: nothing but light can do harm.
IMAGES = (40 + 60 * LABELS)[:, None, None, None] * np.ones((1, 16, 16, 1)).astype(np.uint8)
IMAGES = IMAGES.astype(np.uint8)


def named_by_brightness(images: np.ndarray) -> np.ndarray:
    return np.clip(np.rint((images.mean(axis=(1, 2, 3)) - 40) / 60), 0, 2).astype(int)


def test_a_model_that_sees_brightness_alone_minds_light_and_nothing_that_keeps_it() -> None:
    table = robustness.measure(named_by_brightness, IMAGES, LABELS, ["blur", "contrast", "brightness"], 30, 0)
    assert len(table) == 3 * 6
    of = table.set_index(["corruption", "severity"])["accuracy"]
    assert of["blur"].tolist() == of["contrast"].tolist() == [1.0] * 6
    # By 25.5 a picture stays what it is, by 51 it is taken for the next class; the brightest stays in any case.
    assert of["brightness"].tolist() == pytest.approx([1, 1, 1 / 3, 1 / 3, 1 / 3, 1 / 3])
    row = table[(table["corruption"] == "brightness") & (table["severity"] == 3)].iloc[0]
    expected = stats.binomtest(10, 30).proportion_ci(0.95, method="wilson")
    assert (row["low"], row["high"], row["images"]) == pytest.approx((expected.low, expected.high, 30))
    assert row["amount"] == 0.3


def test_the_numbers_have_names() -> None:
    table = robustness.measure(named_by_brightness, IMAGES, LABELS, ["blur", "brightness"], 1000, 0)
    values = robustness.scalars(table)
    assert values["robustness/clean"] == values["robustness/blur/mean"] == 1
    assert values["robustness/brightness/mean"] == pytest.approx((1 + 4 / 3) / 5)
    assert values["robustness/brightness/worst"] == pytest.approx(1 / 3)
    assert values["robustness/mean"] == pytest.approx((1 + (1 + 4 / 3) / 5) / 2)
    assert table["images"].unique().tolist() == [60]


def test_the_same_images_suffer_in_every_row() -> None:
    seen: list[np.ndarray] = []

    def watched(images: np.ndarray) -> np.ndarray:
        seen.append(named_by_brightness(images))
        return seen[-1]

    robustness.measure(watched, IMAGES, LABELS, list(CORRUPTIONS), 9, 3)
    assert len(seen) == 1 + 5 * len(CORRUPTIONS)
    assert np.bincount(seen[0]).tolist() == [3, 3, 3]
