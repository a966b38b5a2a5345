"""One call leaves numbers, pictures, tables and sentences; leaked images are found and left out of the second count."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from answers import NAMES, answered

from fer_exp.assessment import examine, metrics, temperature
from fer_exp.assessment.metrics import Evaluation
from fer_exp.dataset import Split
from fer_exp.options import config

LABELS = np.arange(24) % 3


def split(seed: int, **columns: np.ndarray) -> Split:
    return Split.of_images(np.random.default_rng(seed).integers(0, 256, (24, 8, 8, 1), np.uint8), LABELS, **columns)


def subject(
    train: Split | None, test: Split, before: Evaluation | None = None, val: Split | None = None
) -> examine.Subject:
    evaluation = answered(np.arange(24) < 18, LABELS)
    earlier = {name: split for name, split in (("train", train), ("val", val)) if split is not None}
    return examine.Subject(
        evaluation, test, "test", before, earlier, lambda images: np.eye(3)[np.zeros(len(images), int)], None
    )


def options(**changes: object) -> config.Evaluation:
    values = {"temperature_scaling": False, "grad_cam": 0, "robustness": [], "robustness_images": 9}
    return config.Evaluation.model_validate({**values, **changes})


def test_it_leaves_pictures_tables_and_numbers(tmp_path: Path) -> None:
    asked = options(robustness=["blur", "jpeg", "blur"])
    found = examine.examine(subject(split(0), split(1)), asked, tmp_path, 0)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "reliability.png",
        "robustness.png",
        "roc_and_precision_recall.png",
    }
    ranked = pd.read_csv(tmp_path / "tables" / "ranking.csv")
    assert ranked["class"].tolist() == [*NAMES, "mean"]
    assert found.scalars["test/roc_auc"] == pytest.approx(ranked["roc_auc"].iloc[-1])
    bins = pd.read_csv(tmp_path / "tables" / "reliability.csv")
    assert bins.groupby("bins")["images"].sum().tolist() == [24, 24]
    table = pd.read_csv(tmp_path / "tables" / "robustness.csv")
    assert table["corruption"].unique().tolist() == ["blur", "jpeg"]
    assert found.scalars["robustness/mean"] == pytest.approx(1 / 3)
    assert [what for what, _ in found.findings] == ["test ROC-AUC", "test ECE", "robustness"]
    assert found.scalars["test/leaked_images"] == 0
    assert not [name for name in found.scalars if "clean/" in name]


def test_leaked_images_are_counted_named_and_left_out_of_a_second_measurement(tmp_path: Path) -> None:
    test = split(1, names=np.array([f"test/{row}.png" for row in range(24)]))
    train, val = split(0), split(2)
    train.images[[2, 5]] = test.images[[20, 3]]  # one that is answered wrongly, one that is answered rightly
    val.images[[7, 8]] = test.images[[3, 4]]  # one that is in both, one that helped to choose the epoch
    found = examine.examine(subject(train, test, val=val), options(), tmp_path, 0)
    assert found.scalars["test/leaked_images"] == 3
    assert found.scalars["test_clean/accuracy"] == pytest.approx(16 / 21)
    kept = np.delete(np.arange(24), [3, 4, 20])
    whole = answered(np.arange(24) < 18, LABELS)
    alone = metrics.evaluate(whole.probabilities[kept], LABELS[kept], NAMES)
    assert found.scalars["test_clean/macro_f1"] == pytest.approx(alone.macro_f1)
    listed = pd.read_csv(tmp_path / "tables" / "leaked_images.csv")
    assert listed.to_numpy().tolist() == [
        [3, "test/3.png", "train and val"],
        [4, "test/4.png", "val"],
        [20, "test/20.png", "train"],
    ]
    (told,) = (text for what, text in found.findings if what == "leaks")
    assert told.startswith(
        "3 of 24 test images are also in train or val, pixel for pixel; without them accuracy 0.7619, macro-F1"
    )


def test_a_split_that_is_all_in_train_is_told_and_has_no_second_measurement(tmp_path: Path) -> None:
    found = examine.examine(subject(split(1), split(1)), options(), tmp_path, 0)
    assert found.scalars["test/leaked_images"] == 24
    assert ("leaks", "24 of 24 test images are also in train, pixel for pixel") in found.findings
    assert not [name for name in found.scalars if name.startswith("test_clean")]
    unasked = examine.examine(subject(None, split(1)), options(), tmp_path, 0)
    assert "test/leaked_images" not in unasked.scalars


def test_what_was_before_the_temperature_is_told_beside_what_is_after(tmp_path: Path) -> None:
    before = temperature.scaled(answered(np.arange(24) < 18, LABELS), 0.2)
    found = examine.examine(subject(None, split(1), before), options(), tmp_path, 0)
    assert found.scalars["test_uncalibrated/ece"] > found.scalars["test/ece"]
    (told,) = (text for what, text in found.findings if what == "test ECE")
    assert told.endswith(f"before temperature scaling {100 * found.scalars['test_uncalibrated/ece']:.2f} %")


def test_a_model_without_a_map_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import dataclasses

    import keras

    inputs = keras.Input((8, 8, 1))
    flat = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.MaxPooling2D(4)(inputs))))
    asked = dataclasses.replace(subject(None, split(1)), model=flat)
    with caplog.at_level(logging.WARNING):
        examine.examine(asked, options(grad_cam=2), tmp_path, 0)
    assert "There is no Grad-CAM sheet: " in caplog.text
    assert not (tmp_path / "figures" / "grad_cam.png").exists()
